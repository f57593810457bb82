package retry

import (
	"math"
	"time"
)

// A Policy says which tries are repeated, how often and after what wait. It is
// a plain value that nobody changes once it is in use. The zero Policy never
// retries.
type Policy struct {
	// Attempts is the number of retries after the first try; 0 or less: none.
	Attempts int
	// PerTryTimeout limits each try until its response headers; 0: no limit.
	PerTryTimeout time.Duration
	// On says what is retried; the zero Conditions retry nothing.
	On Conditions
	// Backoff spaces the retries; the zero Backoff is 25ms up to 250ms.
	Backoff Backoff
	// AvoidTried asks the picker to prefer hosts that this request has not tried.
	AvoidTried bool
	// RemoteLocalities lets retries leave the priorities that were tried.
	RemoteLocalities bool
	// SafeReplay repeats a request that is not idempotent only when nothing of
	// it can have been executed. Rules that write retries are obeyed to the
	// letter, without it.
	SafeReplay bool
}

// Default is the policy where no rule writes one: Istio's, with SafeReplay.
func Default() Policy {
	return Policy{
		Attempts:   2,
		On:         defaultConditions(),
		AvoidTried: true,
		SafeReplay: true,
	}
}

// defaultConditions hold OnStatusCodes with an empty list, as Istio's do: the
// codes of a request header would be added to it.
func defaultConditions() Conditions {
	return Conditions{On: OnConnectFailure | OnRefusedStream | OnUnavailable | OnCancelled | OnStatusCodes}
}

// TryTimeout is the limit of one try of a request that may take timeout
// altogether (0: no limit). Envoy ignores a per-try timeout that is not shorter.
func (p *Policy) TryTimeout(timeout time.Duration) time.Duration {
	if timeout > 0 && p.PerTryTimeout >= timeout {
		return 0
	}
	return p.PerTryTimeout
}

// NoDeadline is the remaining time of a request that has no deadline.
const NoDeadline = time.Duration(math.MaxInt64)

// MaxRetryAfter is the longest Retry-After that is waited for, also without a
// deadline; the default max_interval of Envoy's rate_limited_retry_back_off.
const MaxRetryAfter = 300 * time.Second

// Decide says whether the policy repeats a request after t, when it has been
// repeated retriesDone times already. It is pure, and allocates nothing.
func (p *Policy) Decide(t Try, retriesDone int) Decision {
	switch {
	case !p.On.Match(&t):
		return unmatched(&t)
	case t.Unreplayable:
		return Unreplayable
	case p.SafeReplay && !t.Idempotent && !t.unexecuted():
		return Unsafe
	case retriesDone >= p.Attempts:
		return Exhausted
	}
	return Again
}

// Next is Decide and the wait before the retry: the back-off, or the answer's
// Retry-After where that is longer. When the wait leaves nothing of remaining,
// the time until the request's deadline, the decision is TooLate at once. An
// answer that asks for more than MaxRetryAfter is TooLate as well.
func (p *Policy) Next(t Try, retriesDone int, remaining time.Duration) (time.Duration, Decision) {
	d := p.Decide(t, retriesDone)
	if !d.Retry() {
		return 0, d
	}
	wait := p.Backoff.Delay(retriesDone + 1)
	if t.Failure == None {
		wait = max(wait, t.RetryAfter)
	}
	if wait >= remaining || wait > max(MaxRetryAfter, p.Backoff.limit()) {
		return 0, TooLate
	}
	return wait, Again
}
