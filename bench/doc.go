// Bench measures what inmesh costs, beside its peers, and prints one table with
// the budget next to each figure:
//
//	go run .                  everything, in about three minutes
//	go run . -only loopback   one section: stack, peers, loopback, grpc, door, pick, rules, memory
//	go test -bench=Stack -cpuprofile=cpu.out .
//	go test -bench=Loopback/HTTP/2/mesh -cpuprofile=cpu.out .
//
// On loopback the mesh has its rules, timeouts, retries, limits and circuits, and
// goes over the same wire as bare net/http: HTTP/1.1 in plaintext and over mutual
// TLS, and HTTP/2 over mutual TLS. An answer that came over another is an error.
// "Told by hand" is net/http without the mesh, whose caller sets a timeout and the
// two headers by which the mesh says how long it is and who calls: what HTTP/2 makes
// of those is most of the difference there.
//
// Times drift from machine to machine, and from minute to minute. What is
// compared takes turns, and a ratio is the median of its rounds; a time in ns is
// that of the fastest round, in time that the cores spent on this process. A
// figure over its budget is marked, and is no failure: allocations alone are
// asserted, by the tests.
//
// It is a module of its own, so that peers are no part of what users download.
package main
