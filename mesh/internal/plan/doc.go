// Package plan turns validated rules into what a request needs to know: which
// virtual host it belongs to, which route of it matches, where the route sends
// it and under which policy.
//
// Compile is pure: the same rules, workload and options give the same Plan, no
// clock, no network, no randomness. It indexes and no more, so that ten
// thousand rules are in force within milliseconds; a virtual host is compiled
// when the first request asks for it, once, and the result is kept for the life
// of the Plan. A Plan is immutable to its readers and safe for concurrent use.
//
// The meaning of every field is Istio's. Where inmesh departs from it the code
// says so at the place.
package plan
