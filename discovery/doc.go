// Package discovery says where services live: an Endpoint is one address of a
// service, as data, and a Source yields the whole set of a Service's endpoints,
// at once and after each change.
//
//	known, err := discovery.NewStatic(map[string][]discovery.Endpoint{
//		"reviews": discovery.Addresses("127.0.0.1:9081", "127.0.0.1:9082"),
//	})
//	dns, err := discovery.NewDNS(discovery.DNSConfig{})
//	source := discovery.Hold(discovery.First(known, dns), 0)
//	for endpoints, err := range source.Watch(ctx, reviews) { … }
//
// Sources: NewStatic for what the program knows, NewFile for a JSON file that
// is followed, NewDNS for A, AAAA and SRV records; Consul's is in the package
// consul. They are composed with First (the first source that knows the
// service), Hold (a service is not emptied by accident) and Share (one upstream
// watch for many watchers). Who writes another Source checks it with the
// package discoverytest.
//
// # Defaults
//
//  1. A file is read once a second, and may have 64 MiB.
//  2. A DNS answer is kept for its TTL, but for no less than 1 s and no more
//     than 5 min; one from the hosts file, which has no TTL, for 5 s.
//  3. A DNS failure is followed by a random wait of at most 1 s, doubling to 60 s.
//  4. A DNS question takes at most 10 s.
//  5. DNS endpoints have port 80 where the Service asks for none.
//  6. Hold believes in an empty set after 30 s.
//
// # Concurrency
//
// All sources are safe for concurrent use. The goroutines behind a watch end
// with it, or with the last watch that shares them: there is nothing to close.
// Watchers who are slow miss sets between, never the newest.
//
// # Limits
//
// The targets of SRV records are resolved one after the other. A lookup that is
// cut short leaves goroutines of net.Resolver behind for the moment that they
// take to notice.
package discovery
