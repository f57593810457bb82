// Package fleet is what the tour shows, apart from how it shows it: the services of
// Istio's Bookinfo on loopback ports, each server with a mesh of its own, mutual TLS
// between them, and a page for the browser. A program that starts one chooses the
// rules, and who is told what happens: the tour itself, or whoever looks at a fleet
// with other tools.
//
//	f, err := fleet.Start(ctx, fleet.Config{Rules: "examples/bookinfo/rules"})
//	defer f.Close()
//	resp, err := http.Get(f.Page())
package fleet
