package jwt

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// refreshEvery is how long keys are taken for fresh (Envoy: cache_duration of
	// Istio's RemoteJwks). A tenth more or less of it keeps a fleet from asking at once.
	refreshEvery = 5 * time.Minute
	// staleAfter is how long keys may be used that cannot be fetched again.
	staleAfter = time.Hour
	// askEvery is how often tokens of an unknown key may cause a fetch.
	askEvery = 30 * time.Second
	// After a failure the next fetch waits firstPause, then twice as long each
	// time, at most maxPause.
	firstPause = time.Second
	maxPause   = 30 * time.Second
)

// A remote source fetches keys in the background: the first fetch begins with
// the rule, so that no request has to begin it, and later ones are nobody's wait.
// Only a request that comes before the first fetch has ended waits for it, and
// one with a token of a key that is not known.
type remote struct {
	id      sourceID
	fetcher fetcher
	report  func(error)
	latest  atomic.Pointer[fetched] // nil until the first fetch has ended; written by run
	asked   chan struct{}           // capacity 1: somebody wants a fetch now
	stop    context.CancelFunc
	stopped chan struct{} // closed when run has returned

	mu      sync.Mutex    // guards what follows
	round   chan struct{} // closed when the fetch that runs or is asked for has ended; nil when there is none
	nextAsk time.Time
}

// fetched is what the fetches so far have brought.
type fetched struct {
	keys *keySet   // of the last good one; nil: none was good
	data []byte    // what keys was parsed from
	at   time.Time // when it was good
}

func (k *Keyring) openRemote(id sourceID) source {
	ctx, cancel := context.WithCancel(context.Background())
	r := &remote{
		id: id, fetcher: k.fetcher, report: k.report,
		asked: make(chan struct{}, 1), stop: cancel, stopped: make(chan struct{}),
		round: make(chan struct{}),
	}
	go r.run(ctx)
	return r
}

// close stops the fetching, and returns when it has ended.
func (r *remote) close() {
	r.stop()
	<-r.stopped
}

func (r *remote) run(ctx context.Context) {
	defer close(r.stopped)
	defer r.end(nil)
	pause := firstPause
	for ctx.Err() == nil {
		wait := refreshEvery - refreshEvery/10 + rand.N(refreshEvery/5)
		if err := r.fetch(ctx); err == nil {
			pause = firstPause
		} else {
			wait, pause = pause, min(2*pause, maxPause)
		}
		r.sleep(ctx, wait)
	}
}

func (r *remote) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.asked:
	case <-ctx.Done():
	}
}

// fetch is one round.
func (r *remote) fetch(ctx context.Context) error {
	r.begin()
	keys, data, err := r.fetcher.keys(ctx, r.id)
	r.end(r.latest.Load().after(keys, data, time.Now()))
	if err != nil && ctx.Err() == nil {
		r.report(fmt.Errorf("keys of %s: %w", r.id, err))
	}
	return err
}

// after is what is known after a fetch. Keys that are the same stay the same, so
// that what was verified with them need not be again.
func (f *fetched) after(keys *keySet, data []byte, now time.Time) *fetched {
	if f == nil {
		f = &fetched{}
	}
	switch {
	case keys == nil:
		return f
	case bytes.Equal(data, f.data):
		return &fetched{f.keys, f.data, now}
	}
	return &fetched{keys, data, now}
}

func (r *remote) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.round == nil {
		r.round = make(chan struct{})
	}
	select {
	case <-r.asked: // this round is what was asked for
	default:
	}
}

// end lets those go on who wait for the round. nil: nothing new is known.
func (r *remote) end(f *fetched) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f != nil {
		r.latest.Store(f)
	}
	if r.round != nil {
		close(r.round)
		r.round = nil
	}
}
