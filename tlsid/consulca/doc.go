// Package consulca takes a workload's identity from the CA of a Consul cluster:
// certificates as its service mesh, Connect, gives them to sidecar proxies.
//
//	client, err := api.NewClient(api.DefaultConfig())
//	source := consulca.New(client, "productpage")
//	for credential, err := range source.Watch(ctx) { … } // or mesh.Config.Identity
//
// The identity is spiffe://<cluster>.consul/ns/default/dc/dc1/svc/productpage. The
// agent makes the key, has the leaf signed, and renews both; the token needs
// service:write for the service. Peers are trusted by the roots of the cluster,
// which all its datacenters share: other processes with such a source, services
// that are native to Connect, and its proxies.
//
// # What is told
//
// A leaf and the roots that vouch for it are a credential. While an agent does
// not answer, the one before stands, and ErrExpiring and ErrOutOfTime of tlsid
// are told when a fifth of its lifetime is left, and when it is over, then every
// hour. A leaf that is not valid yet, as where clocks differ, is told when it is.
//
// # Defaults
//
//  1. Leaf and roots are asked for by blocking queries of 30 s. After
//     trouble there is a random pause of at most 250 ms, doubling to 30 s.
//
// # Concurrency
//
// A Source is safe for concurrent use. Each Watch has two goroutines, which end
// with it.
//
// # Limits
//
// Whoever may ask the agent for the leaf has the key: it is the same for all
// processes of a service on one agent. The roots of peered clusters are not
// known, so that their services are not trusted.
package consulca
