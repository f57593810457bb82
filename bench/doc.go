// Bench measures what inmesh costs, beside its peers, and prints one table with
// the budget next to each figure:
//
//	go run .                  everything, in about two minutes
//	go run . -only loopback   one section: stack, peers, loopback, pick, rules, memory
//	go test -bench=Stack -cpuprofile=cpu.out .
//
// Times drift from machine to machine. What is compared takes turns, round by
// round, and a figure is the median of its rounds. A figure over its budget is
// marked, and is no failure: allocations alone are asserted, by the tests.
//
// It is a module of its own, so that peers are no part of what users download.
package main
