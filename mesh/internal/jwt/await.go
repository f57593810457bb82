package jwt

import (
	"context"
	"time"
)

func (r *remote) current(now time.Time) *keySet {
	f := r.latest.Load()
	if f == nil || now.Sub(f.at) > staleAfter {
		return nil
	}
	return f.keys
}

// verify waits for the first keys, and once more where the token's key is not
// among those that are known.
func (r *remote) verify(ctx context.Context, raw string, t *token) (*keySet, status) {
	ctx, cancel := context.WithTimeout(ctx, r.id.timeout)
	defer cancel()
	if r.latest.Load() == nil {
		r.await(ctx, r.running())
	}
	keys, s := r.try(raw, t)
	if !t.mayHaveNewKey(s) {
		return keys, s
	}
	r.await(ctx, r.ask(time.Now()))
	if r.current(time.Now()) == keys {
		return keys, s
	}
	return r.try(raw, t) // also where another's fetch ended just before we asked
}

func (r *remote) try(raw string, t *token) (*keySet, status) {
	keys := r.current(time.Now())
	if keys == nil {
		return nil, fetchFailed
	}
	return keys, keys.verify(raw, t)
}

// mayHaveNewKey: the issuer may have a new key that was not fetched yet. Without
// a kid it looks like a bad signature.
func (t *token) mayHaveNewKey(s status) bool {
	return s == noMatchingKey || s == verificationFails && t.kid == ""
}

func (r *remote) running() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.round
}

// ask returns the end of the round that runs, or else of a new one; nil where
// the last was asked for less than askEvery ago: whoever can send requests could
// else make us flood the issuer.
func (r *remote) ask(now time.Time) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.round != nil {
		return r.round
	}
	if now.Before(r.nextAsk) {
		return nil
	}
	r.nextAsk = now.Add(askEvery)
	r.round = make(chan struct{})
	select {
	case r.asked <- struct{}{}:
	default: // only once run has returned: until then begin takes out what was asked for
	}
	return r.round
}

// await returns when the round has ended, or nobody works or waits for it any
// more. A nil round has ended before.
func (r *remote) await(ctx context.Context, round <-chan struct{}) {
	if round == nil {
		return
	}
	select {
	case <-round:
	case <-r.stopped:
	case <-ctx.Done():
	}
}
