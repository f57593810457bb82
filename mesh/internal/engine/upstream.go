package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/internal/follow"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/retry"
)

// An upstream is the live set of endpoints behind a host and port. The clusters
// of all its subsets share it, and so the watch.
type upstream struct {
	engine *Engine
	key    upstreamKey

	mu        sync.Mutex // orders endpoints with the clusters that are told of them
	feed      feed
	loop      *follow.Loop
	clusters  []*Cluster
	endpoints []discovery.Endpoint
	err       error         // the trouble since the last good set; nil if there is none
	updated   time.Time     // when the last good set came; zero: never
	heard     chan struct{} // closed after the feed's first set or error
	isHeard   atomic.Bool   // that it is closed, for a cheaper look
}

// A feed is where the endpoints of an upstream come from: a fixed set, or a
// source that is asked for a service.
type feed struct {
	fixed  []discovery.Endpoint
	names  []discovery.Endpoint // whose hosts the source resolves
	source discovery.Source     // nil: fixed
	ask    discovery.Service
}

// A configured source is a pointer, which compares whatever its type: feeds are
// compared by their sources.
type configured struct{ discovery.Source }

func (f feed) equal(other feed) bool {
	return f.source == other.source && f.ask == other.ask &&
		slices.EqualFunc(f.fixed, other.fixed, discovery.Endpoint.Equal) &&
		slices.EqualFunc(f.names, other.names, discovery.Endpoint.Equal)
}

func newUpstream(e *Engine, key upstreamKey, f feed) *upstream {
	u := &upstream{engine: e, key: key, heard: make(chan struct{})}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.followLocked(f)
	return u
}

// refeed changes where endpoints come from. The last good set stands until the
// new feed yields one; where there is nobody in it, calls wait for the new feed's
// first word.
func (u *upstream) refeed(f feed) {
	if old := u.replace(f); old != nil {
		old.Close()
	}
}

func (u *upstream) replace(f feed) (old *follow.Loop) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.feed.equal(f) {
		return nil
	}
	if len(u.endpoints) == 0 && u.settled() {
		u.unsettleLocked()
	}
	return u.followLocked(f)
}

// followLocked returns the loop that is no longer the upstream's, to be closed
// without the lock: its last words wait for that, and are dropped.
func (u *upstream) followLocked(f feed) (old *follow.Loop) {
	old, u.feed, u.loop = u.loop, f, nil
	if f.source == nil {
		u.applyLocked(f.fixed)
		return old
	}
	var mine *follow.Loop // written before u.mu is let go, read under it
	mine = follow.Start(watchOf(f),
		func(eps []discovery.Endpoint) { u.hear(&mine, eps, nil) },
		func(err error) { u.hear(&mine, nil, err) })
	u.loop = mine
	return old
}

// hear takes in what a loop says, if it still is the upstream's.
func (u *upstream) hear(loop **follow.Loop, eps []discovery.Endpoint, err error) {
	if u.take(loop, eps, err) && err != nil {
		u.engine.events.Trouble(u.key.host, err)
	}
}

func (u *upstream) take(loop **follow.Loop, eps []discovery.Endpoint, err error) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.loop != *loop {
		return false
	}
	if err == nil {
		u.applyLocked(eps)
	} else {
		u.troubledLocked(err)
	}
	return true
}

func (u *upstream) applyLocked(eps []discovery.Endpoint) {
	u.endpoints, u.err, u.updated = eps, nil, time.Now()
	for _, cl := range u.clusters {
		cl.update(eps)
	}
	u.settleLocked()
}

// troubledLocked keeps the last good set, unless the source says that there is
// no such service.
func (u *upstream) troubledLocked(err error) {
	u.err = err
	if errors.Is(err, discovery.ErrUnknown) && len(u.endpoints) > 0 {
		u.endpoints = nil
		for _, cl := range u.clusters {
			cl.update(nil)
		}
	}
	u.settleLocked()
}

func (u *upstream) settleLocked() {
	if !u.isHeard.Swap(true) {
		close(u.heard)
	}
}

// unsettleLocked forgets that anything has been heard.
func (u *upstream) unsettleLocked() {
	u.err, u.updated, u.heard = nil, time.Time{}, make(chan struct{})
	u.isHeard.Store(false)
}

// settled reports whether anything has been heard yet.
func (u *upstream) settled() bool { return u.isHeard.Load() }

// join makes cl a cluster of the upstream.
func (u *upstream) join(cl *Cluster) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.clusters = append(u.clusters, cl)
	if !u.updated.IsZero() {
		cl.update(u.endpoints)
	}
}

// leave takes cl out, and returns how many clusters remain.
func (u *upstream) leave(cl *Cluster) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.clusters = slices.DeleteFunc(u.clusters, func(other *Cluster) bool { return other == cl })
	return len(u.clusters)
}

// again tells cl what it has been told before: its labels may have changed.
func (u *upstream) again(cl *Cluster) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.updated.IsZero() {
		cl.update(u.endpoints)
	}
}

// firstAnswer bounds the wait for the first word of a source.
const firstAnswer = 5 * time.Second

var errSilent = errors.New("discovery has not answered within " + firstAnswer.String())

// await waits for the first word, and no longer than the caller has time. A
// source that has said nothing by then is in trouble, until it says something.
func (u *upstream) await(ctx context.Context, remaining time.Duration) Outcome {
	timer := time.NewTimer(min(firstAnswer, remaining))
	defer timer.Stop()
	select {
	case <-u.firstWord():
		return Outcome{}
	case <-ctx.Done():
		return Ended(ctx)
	case <-timer.C:
	}
	if remaining < firstAnswer {
		if o, over := Overdue(ctx); over {
			return o
		}
		return Failed(retry.DeadlineExceeded, context.DeadlineExceeded)
	}
	u.giveUp()
	return Outcome{}
}

func (u *upstream) firstWord() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.heard
}

// giveUp ends the wait for the first word for everybody.
func (u *upstream) giveUp() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.giveUpLocked(errSilent)
}

func (u *upstream) giveUpLocked(why error) {
	if !u.settled() {
		u.troubledLocked(why)
	}
}

// silent reports whether the source has never said who there is.
func (u *upstream) silent() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.updated.IsZero()
}

// trouble is what ails the source, nil if nothing.
func (u *upstream) trouble() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

func (u *upstream) heardOf() (at time.Time, trouble error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.updated, u.err
}

// unknown reports whether the source says that there is no such service.
func (u *upstream) unknown() bool {
	return errors.Is(u.trouble(), discovery.ErrUnknown)
}

var errUnwatched = errors.New("discovery is not asked any more: the rules have changed, or the mesh is closed")

// close ends the watch, and the wait of all who wait for its first word.
func (u *upstream) close() {
	u.mu.Lock()
	loop := u.loop
	u.loop = nil
	u.giveUpLocked(errUnwatched)
	u.mu.Unlock()
	if loop != nil {
		loop.Close()
	}
}

// feedOf says where the endpoints of a cluster come from: the request itself;
// what a ServiceEntry lists, or the addresses behind the names that it lists;
// the configured source; without one, DNS.
func (e *Engine) feedOf(spec *plan.Cluster) feed {
	s := spec.Service
	switch {
	case spec.Passthrough && s == nil && spec.Key.Via == "" && spec.Discovery.Namespace != "":
		return feed{source: e.dns, ask: spec.Discovery} // it knows the short name too, and localhost
	case spec.Passthrough:
		return feed{fixed: []discovery.Endpoint{spec.Original()}}
	case s != nil:
		return e.listed(s, s.Endpoints(spec.Key.Host, spec.Key.Port))
	case e.config.Discovery != nil:
		return feed{source: e.config.Discovery, ask: spec.Discovery}
	}
	return feed{source: e.dns, ask: spec.Discovery}
}

// listed: where no name is listed, there is nothing to wait for.
func (e *Engine) listed(s *plan.Service, endpoints []discovery.Endpoint) feed {
	if s.Resolves() && len(endpoints) > 0 {
		return feed{source: e.dns, names: endpoints}
	}
	return feed{fixed: endpoints}
}
