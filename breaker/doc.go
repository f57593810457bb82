// Package breaker decides whether a request may go at all: the connectionPool
// limits of a destination (Gate) and the outlierDetection of its hosts
// (Detector, Circuit), with the meaning that Istio and Envoy give them.
//
//	detector := breaker.NewDetector(breaker.DefaultOutlier())
//	circuit := detector.NewCircuit() // one for each host
//	permit, err := circuit.Allow(time.Now())
//	// err == nil: send the request, then
//	event := circuit.Report(permit, breaker.OutcomeOf(status), time.Now())
//
// # Defaults
//
//  1. The zero Gate limits nothing. In Limits, 0 means no limit.
//  2. The zero Outlier detects nothing. DefaultOutlier is what an empty
//     outlierDetection block means: 5 consecutive 5xx eject a host for 30 s, then
//     60 s, up to 300 s; at most 10 % of the hosts.
//  3. Unlike Istio, DefaultOutlier ejects one host whatever the percentage says;
//     else a destination with fewer than ten hosts would never eject any.
//  4. Unlike Istio, a host whose ejection is over is half-open: one probe
//     decides whether it gets its share again or is ejected for longer.
//  5. Half-open hosts count as ejected for the maximum percentage, for they do
//     not carry load yet.
//
// # Concurrency
//
// Everything is safe for concurrent use. On a healthy host Allow is one atomic
// load and so is Report; neither locks, writes or allocates. A Gate without
// waiting requests costs one atomic operation for each counter. Nothing calls
// back: changes are returned as Events. Nothing here starts a goroutine or a
// timer; the owner of a Circuit arms one for Event.Until and calls Tick.
//
// # Time
//
// Each host's state machine is a gobreaker.TwoStepCircuitBreaker, made when the
// host is first ejected. gobreaker fixes its timeout when it is made and reads
// the clock itself, while ejections grow and this package is told the time. So
// the Circuit alone decides when an ejection is over, by the now that it is
// given (now equal to Until is over), and gobreaker's timeout is the shortest
// possible, to have passed by then; gobreaker decides what follows: that one
// probe goes and no second one, and to which state its outcome leads.
//
// # Limits
//
// Counts and ejections belong to one process: N processes with a limit of 10
// send up to N×10 requests. There are no success-rate or failure-percentage
// detectors; Istio cannot configure them.
package breaker
