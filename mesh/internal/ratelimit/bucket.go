package ratelimit

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A bucket is one rate.Limiter that can be looked at and then taken from as one
// step: whoever needs tokens of several buckets locks them all, looks, and takes
// from all or none. Reservations that are cancelled would not do: a Limiter
// gives less than a token back when somebody else has taken one meanwhile.
type bucket struct {
	perSecond uint32

	mu      sync.Mutex // makes looking and taking one step
	limiter *rate.Limiter
	latest  time.Time // the newest time seen: a Limiter that is told an older one fills the time between twice
}

// newBucket returns a full bucket. Rules are 1 per second at the least; 0 would
// be a division by zero, which lets everything pass.
func newBucket(perSecond uint32) *bucket {
	perSecond = max(perSecond, 1)
	burst := int(min(int64(perSecond), math.MaxInt))
	return &bucket{perSecond: perSecond, limiter: rate.NewLimiter(rate.Limit(perSecond), burst)}
}

// waitLocked is the time until there is a token; 0: there is one.
func (b *bucket) waitLocked(now time.Time) time.Duration {
	if now.After(b.latest) {
		b.latest = now
	}
	missing := 1 - b.limiter.TokensAt(b.latest)
	return max(0, time.Duration(missing/float64(b.perSecond)*float64(time.Second)))
}

// takeLocked follows a waitLocked of 0.
func (b *bucket) takeLocked() { b.limiter.AllowN(b.latest, 1) }

// full reports whether a new bucket would be the same.
func (b *bucket) full(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limiter.TokensAt(now) >= float64(b.limiter.Burst())
}
