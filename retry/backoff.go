package retry

import (
	"math/rand/v2"
	"time"
)

const (
	defaultBase = 25 * time.Millisecond
	maxFactor   = 10 // Istio: the longest interval is ten times the base
)

// A Backoff spaces retries as Envoy's JitteredExponentialBackOffStrategy does:
// before retry n it waits for a time uniform in [0, min(Base·2^(n-1), Max)).
type Backoff struct {
	Base     time.Duration // 0 or less: 25ms
	Max      time.Duration // 0 or less: ten times Base
	NoJitter bool          // wait for the ceiling itself; for tests
}

// Ceiling is the bound of the wait before retry n, counted from 1.
func (b Backoff) Ceiling(n int) time.Duration {
	limit := b.limit()
	ceiling := min(b.base(), limit)
	for range n - 1 {
		if ceiling > limit/2 {
			return limit
		}
		ceiling *= 2
	}
	return ceiling
}

// Delay is a wait before retry n, counted from 1.
func (b Backoff) Delay(n int) time.Duration {
	ceiling := b.Ceiling(n)
	if b.NoJitter {
		return ceiling
	}
	return rand.N(ceiling)
}

func (b Backoff) base() time.Duration {
	if b.Base <= 0 {
		return defaultBase
	}
	return b.Base
}

func (b Backoff) limit() time.Duration {
	switch {
	case b.Max > 0:
		return b.Max
	case b.base() > NoDeadline/maxFactor:
		return NoDeadline
	}
	return maxFactor * b.base()
}
