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
// # Who calls
//
//  1. A peer is verified when its connection is seen first, whoever has configured
//     the listener, and again whenever the own roots change: then it must be one
//     that the new roots vouch for.
//  2. What it has proven it has proven: its certificate may expire while the
//     connection is open. But when three quarters of the time have passed that was
//     left then, Visit.Aged asks for a new connection.
//  3. Whoever shows no certificate, or one that names no workload, is nobody. Where
//     the own workload has no credential, so is everybody.
//
// # Concurrency
//
// Apply and Close are called by one goroutine at a time, everything else by any
// number. What is known of a connection is kept until its TLS state is garbage. A
// request that is let in allocates nothing, unless there are rates, or a token to
// take out.
//
// # Limits
//
// What is refused here was a request already. A listener that refuses connections
// asks Mode, see package sniff. Rates of a route go by the VirtualService of the
// workload's own service, as the workload itself would take it.
package guard
