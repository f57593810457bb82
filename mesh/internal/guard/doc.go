// Package guard is the journey of an inbound request, free of HTTP and gRPC: who
// calls, whether the token is good, what the policies say, and at what rate.
//
//	g := guard.New(guard.Config{Workload: workload, Own: &credential})
//	defer g.Close()
//	policies, err := g.Compile(set) // what cannot be enforced
//	g.Apply(set, policies, plan)
//	...
//	if refusal := g.Admit(ctx, &visit); refusal != nil { /* answer so */ }
//
// Admit, read from top to bottom, is the journey.
//
// Concurrency: Apply and Close are called by one goroutine at a time, everything
// else by any number.
//
// Limits: what is refused here was a request already. A listener that refuses
// connections asks Mode, see package sniff.
package guard
