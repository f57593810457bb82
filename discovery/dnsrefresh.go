package discovery

import (
	"context"
	"iter"
	"math/rand/v2"
	"time"
)

// refreshed is a DNS source for one watcher: it asks, and asks again.
type refreshed struct{ dns *DNS }

func (r refreshed) Watch(ctx context.Context, s Service) iter.Seq2[[]Endpoint, error] {
	return func(yield func([]Endpoint, error) bool) {
		pace := pace{config: &r.dns.config}
		for ctx.Err() == nil {
			endpoints, ttl, err := r.dns.ask(ctx, s)
			if ctx.Err() != nil || !yield(endpoints, err) {
				return
			}
			pause(ctx, pace.next(ttl, err))
		}
	}
}

func (d *DNS) ask(ctx context.Context, s Service) ([]Endpoint, ttl, error) {
	ctx, cancel := context.WithTimeout(ctx, d.config.Timeout)
	defer cancel()
	return d.resolve(ctx, s)
}

// A pace says when to ask again.
type pace struct {
	config  *DNSConfig
	ceiling time.Duration // of the next wait after a failure
}

func (p *pace) next(t ttl, err error) time.Duration {
	if err != nil {
		return p.backoff()
	}
	p.ceiling = 0
	return max(p.config.MinTTL, min(t.or(p.config.DefaultTTL), p.config.MaxTTL))
}

// backoff has full jitter, so that a fleet whose server comes back does not
// come back at once.
func (p *pace) backoff() time.Duration {
	p.ceiling = min(max(2*p.ceiling, time.Second), p.config.MaxBackoff)
	return rand.N(p.ceiling + 1)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
