// Package retry decides whether a request may go again, and when: Istio's
// HTTPRetry and retryBudget, Envoy's back-off, and hedging. It sends nothing,
// starts no goroutine and keeps no clock; the caller classifies each try once
// and asks.
//
//	p := retry.Default()
//	t := retry.Try{Failure: retry.ConnectFailure, Idempotent: retry.Idempotent(method)}
//	if wait, d := p.Next(t, retriesDone, remaining); d.Retry() {
//		// wait, then send again
//	}
//
// # Defaults
//
//  1. Default is what Istio applies where no rule says anything: 2 retries on
//     connect-failure, refused-stream, unavailable, cancelled and an empty list
//     of status codes, away from hosts that were tried already. A 503 answer is
//     not among them.
//  2. Unlike Istio, Default repeats a request that RFC 9110 calls non-idempotent
//     only when nothing of it can have been executed (Policy.SafeReplay).
//  3. Back-off before retry n is uniform in [0, min(25ms·2^(n-1), 250ms)).
//  4. There is no budget: the zero Budget allows every retry. DefaultBudget is
//     what an empty retryBudget means: 20 % of the requests under way, at least 3.
//  5. There is no hedging: the zero Hedge starts nothing.
//
// # Concurrency
//
// Policies, conditions, back-offs and hedges are plain values. A Budget is
// shared by all requests of a destination and safe for concurrent use; it has
// no locks of its own.
//
// # Limits
//
// A gRPC call is a POST, so the default policy repeats one that was answered with
// UNAVAILABLE only if its sender calls it idempotent (Try.Idempotent).
//
// Budgets live in one process: N processes have N budgets. The tokens
// retriable-headers and http3-post-connect-failure are accepted, as Istio
// accepts them, and have no effect; Conditions.Inert lists them.
package retry
