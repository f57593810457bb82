package spiffe

import (
	"context"
	"errors"
	"time"

	"github.com/inmesh-go/inmesh/tlsid"
)

const repeatExpiry = time.Hour

// A relay yields what a stream tells, and what time does to the newest
// credential: one that is not valid yet, as where clocks differ, is yielded when
// it is; that one is not renewed is told when a fifth of its lifetime is left,
// and when it is over, then every hour.
type relay struct {
	yield   func(tlsid.Credential, error) bool
	newest  tlsid.Credential
	yielded bool // newest was
}

// run returns when ctx ends, or the caller has had enough.
func (r *relay) run(ctx context.Context, stream <-chan news) {
	for r.step(ctx, stream) {
	}
}

func (r *relay) step(ctx context.Context, stream <-chan news) (more bool) {
	timer := time.NewTimer(r.pause(time.Now()))
	defer timer.Stop()
	select {
	case n, ok := <-stream:
		return ok && ctx.Err() == nil && r.take(n, time.Now())
	case <-timer.C:
		return ctx.Err() == nil && r.tellAge(time.Now())
	case <-ctx.Done():
		return false
	}
}

func (r *relay) take(n news, now time.Time) bool {
	if n.err != nil {
		return r.yield(tlsid.Credential{}, n.err)
	}
	r.newest, r.yielded = n.credential, false
	return r.tellAge(now)
}

// tellAge yields newest once it is in time, and what is wrong with its time.
func (r *relay) tellAge(now time.Time) bool {
	if r.newest.IsZero() {
		return true
	}
	err := r.newest.Check(now)
	if !r.yielded && !errors.Is(err, tlsid.ErrOutOfTime) {
		r.yielded = true
		if !r.yield(r.newest, nil) {
			return false
		}
	}
	return err == nil || r.yield(tlsid.Credential{}, err)
}

// pause is the time to the next change of what Check says of newest, or to the
// next repetition if none is to come.
func (r *relay) pause(now time.Time) time.Duration {
	if at, ok := r.newest.NextChange(now); ok {
		return at.Sub(now)
	}
	return repeatExpiry
}
