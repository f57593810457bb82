// Package ratelimit enforces HTTPLocalRateLimitPolicy: how many requests a
// server takes in a second, from all callers together and from each of them.
//
//	limits := ratelimit.Compile(set.RateLimitPolicies, workload, previous)
//	if refusal, ok := limits.Allow(time.Now(), route, caller); !ok {
//		w.Header().Set("Retry-After", strconv.Itoa(refusal.RetryAfter()))
//		http.Error(w, refusal.String(), http.StatusTooManyRequests)
//	}
//
// The schema is Linkerd's, see https://linkerd.io/2/reference/rate-limiting/.
// Each bound is a token bucket (golang.org/x/time/rate) that holds one second's
// worth of requests.
//
// # Which bounds a request falls under
//
//  1. The policy for the workload's service (targetRef kind Server), and the
//     policy for the request's route (kind HTTPRoute): both, if there are both.
//  2. Of each policy the total, and one bound of the caller's: the override that
//     names it, else the policy's identity bound. The clients that one override
//     names share one bucket, as they do in Linkerd's proxy.
//  3. Callers without an identity share one bucket under the identity bound.
//
// A request takes a token from each of its buckets, or from none: what one
// bucket refuses costs the others nothing. Linkerd's proxy spends the total
// first, so that there a caller over its own bound drains the total of all.
//
// Two policies for one target: the older one counts, as in Linkerd. No policy:
// no bound.
//
// # Changes
//
// A policy that reads as before keeps its buckets. One that was changed in any
// part starts with full ones, which is at most one second's worth of requests
// too many.
//
// # Concurrency
//
// Limits are immutable but for what the buckets hold; all methods are safe for
// concurrent use. Allow locks the one to four buckets that the request falls
// under, always in the same order, those that most requests share last. It
// allocates only for callers that are new to a policy. Nothing here starts a
// goroutine or reads the clock. A time older than the last one counts as the
// last one.
//
// # Limits
//
// Bounds hold for one process: N processes take N times as much. Under the
// identity bound 10,000 callers are told apart in one policy. At that number
// buckets that are full are forgotten, which changes no decision, for a new one
// is full as well; a bucket is full at the latest after a second without
// requests. Should there be more callers than that within a second, those who
// come last share one bucket (Refusal.Bound says Crowd): it refuses too much
// rather than too little.
package ratelimit
