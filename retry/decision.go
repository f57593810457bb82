package retry

import "fmt"

// A Decision says whether a request goes again, or why not.
type Decision uint8

// The decisions. The Policy gives those up to TooLate; OverBudget is for
// whoever asks the destination's budget or its retry limit next.
const (
	Final        Decision = iota // no condition of the policy asks for another try
	Again                        // go again
	RateLimited                  // the answer carries x-envoy-ratelimited
	Local                        // refused or ended on this side: never retried
	Unreplayable                 // it cannot be sent a second time
	Unsafe                       // it is not idempotent and may have been executed
	Exhausted                    // all retries are used (Envoy's flag URX)
	TooLate                      // the wait would outlast the deadline, or MaxRetryAfter
	OverBudget                   // too many retries of the destination are under way (Envoy's flag UO)
)

// Retry reports whether the request goes again.
func (d Decision) Retry() bool { return d == Again }

// String explains the decision to a person.
func (d Decision) String() string {
	names := [...]string{
		"not retried: no retry condition matches",
		"retried",
		"not retried: the upstream rate-limits (x-envoy-ratelimited)",
		"not retried: refused or ended on the caller's side",
		"not retried: the request cannot be sent a second time",
		"not retried: the request is not idempotent and may have been executed",
		"not retried: retries exhausted",
		"not retried: the wait would outlast the deadline or five minutes",
		"not retried: too many retries of the destination are under way",
	}
	if int(d) < len(names) {
		return names[d]
	}
	return fmt.Sprintf("decision(%d)", uint8(d))
}

// unmatched says why no condition can have matched.
func unmatched(t *Try) Decision {
	switch {
	case t.Failure >= Overflow:
		return Local
	case t.Failure == None && t.RateLimited:
		return RateLimited
	}
	return Final
}
