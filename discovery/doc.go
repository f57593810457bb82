// Package discovery says where services live.
//
//	known, err := discovery.NewStatic(map[string][]discovery.Endpoint{
//		"reviews": discovery.Addresses("127.0.0.1:9081", "127.0.0.1:9082"),
//	})
//	reviews := discovery.Service{Host: "reviews", Name: "reviews", Port: 9080}
//	for endpoints, err := range known.Watch(ctx, reviews) { … }
package discovery
