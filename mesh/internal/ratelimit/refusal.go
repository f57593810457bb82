package ratelimit

import (
	"fmt"
	"time"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A Bound is a part of a policy.
type Bound string

// The bounds of a policy.
const (
	Total    Bound = "total"    // of all callers together
	Identity Bound = "identity" // of one caller, or of those without an identity
	Override Bound = "override" // of the clients that an override names
	Crowd    Bound = "crowd"    // the identity bound, shared by the callers who are too many to be told apart
)

// A Refusal says what refuses a request. Where several bounds do, it is the one
// with the longest Wait.
type Refusal struct {
	Policy    *rules.Meta
	Bound     Bound
	PerSecond uint32        // the bound's
	Wait      time.Duration // until there will be a token, if nobody else takes it; at most 1 s
}

// RetryAfter is Wait as the Retry-After header wants it: in seconds, rounded up,
// 1 at the least.
func (r Refusal) RetryAfter() int {
	return max(1, int((r.Wait+time.Second-1)/time.Second))
}

// String says which policy refuses, and which bound of it.
func (r Refusal) String() string {
	return fmt.Sprintf("rate limit %s/%s: %s: %d per second", r.Policy.Namespace, r.Policy.Name, r.Bound, r.PerSecond)
}
