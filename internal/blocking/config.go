package blocking

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	defaultWait     = 30 * time.Second
	defaultInterval = 500 * time.Millisecond
	defaultMaxPause = 30 * time.Second
	// patience is how much longer than it should take a query may take.
	patience = 10 * time.Second
	// firstPause bounds the first of the pauses.
	firstPause = 250 * time.Millisecond
	// burst is how many queries may follow each other at once.
	burst = 2
)

// A Config says how to ask. The zero Config works.
type Config struct {
	// Options are those of every query: datacenter, namespace, token. What is
	// said here about waiting and about stale answers is not looked at.
	Options api.QueryOptions
	// Wait is how long a query waits for a change, at most 10 min, which is
	// Consul's own bound. Zero: 30 s.
	Wait time.Duration
	// Interval is the mean time between queries that return at once, of which
	// two may follow each other without. What does not block is asked at this
	// interval. Zero: 500 ms.
	Interval time.Duration
	// MaxPause bounds the random pause after trouble. Zero: 30 s.
	MaxPause time.Duration
}

func (c Config) withDefaults() Config {
	c.Wait = cmp.Or(c.Wait, defaultWait)
	c.Interval = cmp.Or(c.Interval, defaultInterval)
	c.MaxPause = cmp.Or(c.MaxPause, defaultMaxPause)
	return c
}

// limit is how long a query may take.
//
// "A small random amount of additional wait time is added to the supplied
// maximum wait time to spread out the wake up time of any concurrent requests.
// This adds up to wait / 16 additional time to the maximum duration."
func (c Config) limit(from cursor) time.Duration {
	if from.index == 0 {
		return patience
	}
	return c.Wait + c.Wait/16 + patience
}

// Pauses are the times to wait after trouble: random, below a ceiling that
// doubles ("full jitter"), so that a fleet whose agent comes back does not come
// back at once. The zero Pauses begin with at most 250 ms.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
type Pauses struct{ ceiling time.Duration }

// Next is the next of the pauses, of at most limit.
func (p *Pauses) Next(limit time.Duration) time.Duration {
	p.ceiling = min(max(2*p.ceiling, firstPause), limit)
	return rand.N(p.ceiling + 1)
}

// Sleep returns after d, or when ctx ends.
func Sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
