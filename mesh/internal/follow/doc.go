// Package follow is the one control loop of the mesh: rules, endpoints and
// credentials all come from a sequence that yields whole values, at once and
// after each change, and errors between; the last good value stands.
//
//	loop := follow.Start(source.Watch, state.Apply, log.Report)
//	defer loop.Close()
//	if err := loop.Ready(ctx); err != nil { // the first value is in force, or why not
//		return err
//	}
//
// A sequence that ends before it was told to is started again, after a random
// time of at most 100 ms, doubling with each end to at most 30 s; a good value
// takes it back to 100 ms.
//
// Concurrency: one goroutine makes all calls of apply and report of a loop, one
// after the other. They must not block for long: the sequence waits for them.
//
// Limits: a loop does not bound how long a watch may be silent.
package follow
