// Package deadline ends tries whose time is up, at a fraction of what
// context.WithDeadline costs.
package deadline

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A Limit is a context for one try. It ends with the caller's, or at a time that
// can be moved: the answer's headers must be there by the try's deadline, its
// body by the call's. A nil Limit is a try without one. Begin makes it one, once;
// everything else may be called by many goroutines at once.
//
// It has an AfterFunc method, which package context looks for before it starts
// a goroutine to watch a parent.
type Limit struct {
	context.Context             // the caller's
	deadline        time.Time   // as it was made
	leave           func() bool // stops listening to the caller's context; nil: that never ends
	alarms          *Alarms
	place           *place // guarded by alarms; nil: none

	mu    sync.Mutex // guards all below
	until time.Time  // zero: no end of its own
	err   error
	hooks *hook
	tied  hook // the one that Tie adds; its f is nil while there is none
	first hook // that AfterFunc added; none takes its place

	done  chan struct{} // written once, before asked
	asked atomic.Bool   // for done, which whoever waits for several things asks for often
}

// A hook is told of the end. There is one as a rule, the connection's.
type hook struct {
	f    func()
	next *hook
}

// Begin starts a limit whose owner must stop it.
func (l *Limit) Begin(a *Alarms, parent context.Context, deadline time.Time) {
	l.alarms, l.Context, l.deadline, l.until = a, parent, deadline, deadline
	a.set(l, deadline)
	if parent.Done() != nil {
		l.leave = context.AfterFunc(parent, func() { l.end(parent.Err(), false) })
		if err := parent.Err(); err != nil {
			l.end(err, false) // now, not a moment later: nothing is sent for a caller who has gone
		}
	}
}

// Extend moves the end, and reports whether there is one to move: false if the
// limit has ended. Zero means that only the caller's context ends it.
func (l *Limit) Extend(deadline time.Time) bool {
	return l == nil || l.extend(deadline)
}

func (l *Limit) extend(deadline time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return false
	}
	sooner := l.until.IsZero() || deadline.Before(l.until)
	switch l.until = deadline; {
	case deadline.IsZero():
		l.alarms.clear(l)
	case sooner:
		l.alarms.set(l, deadline)
	} // later: dueLocked sets the alarm anew when it rings
	return true
}

// Stop gives the limit up: what still uses it is cancelled.
func (l *Limit) Stop() {
	if l != nil {
		l.stop()
	}
}

func (l *Limit) stop() {
	if l.leave != nil {
		l.leave()
	}
	l.end(context.Canceled, false)
}

// Expired reports that the time was up, or is: who goes by the deadline itself, such
// as a dialler, may notice it a moment before the alarm rings.
func (l *Limit) Expired() bool {
	return l != nil && l.isUp() && l.Context.Err() == nil
}

func (l *Limit) isUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err == context.DeadlineExceeded || l.err == nil && !l.until.IsZero() && !time.Now().Before(l.until)
}

// expire is the alarm's.
func (l *Limit) expire() { l.end(context.DeadlineExceeded, true) }

func (l *Limit) end(err error, alarm bool) {
	for h := l.close(err, alarm); h != nil; h = h.next {
		h.f()
	}
}

// close marks the end, once, and returns who is to be told.
func (l *Limit) close(err error, alarm bool) *hook {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || alarm && !l.dueLocked() {
		return nil
	}
	if !alarm && !l.until.IsZero() {
		l.alarms.clear(l)
	}
	l.err = err
	if l.asked.Load() {
		close(l.done)
	}
	hooks := l.hooks
	l.hooks = nil
	return hooks
}

// dueLocked looks again, because an alarm may ring while the end is moved, and
// still rings at the old time once it has been moved to a later one.
func (l *Limit) dueLocked() bool {
	if l.until.IsZero() {
		return false
	}
	if time.Now().Before(l.until) {
		l.alarms.set(l, l.until)
		return false
	}
	return true
}

// Deadline implements context.Context.
func (l *Limit) Deadline() (time.Time, bool) { return l.deadline, true }

// Done implements context.Context.
func (l *Limit) Done() <-chan struct{} {
	if !l.asked.Load() {
		l.makeDone()
	}
	return l.done
}

func (l *Limit) makeDone() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked.Load() {
		return
	}
	l.done = make(chan struct{})
	if l.err != nil {
		close(l.done)
	}
	l.asked.Store(true)
}

// Err implements context.Context.
func (l *Limit) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// AfterFunc calls f once the limit has ended, in a goroutine of its own if it
// has already, and returns a function that prevents it.
func (l *Limit) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		go f()
		return func() bool { return false }
	}
	h := &l.first
	if h.f != nil {
		h = new(hook)
	}
	h.f = f
	l.hookLocked(h)
	return func() bool { return l.unhook(h) }
}

// Tie implements h1.Tier: it is an AfterFunc that costs no allocation, for one
// function at a time.
func (l *Limit) Tie(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || l.tied.f != nil {
		return false
	}
	l.tied.f = f
	l.hookLocked(&l.tied)
	return true
}

// Untie implements h1.Tier.
func (l *Limit) Untie() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.unhookLocked(&l.tied)
	if found {
		l.tied.f = nil
	}
	return found
}

func (l *Limit) hookLocked(h *hook) { h.next, l.hooks = l.hooks, h }

func (l *Limit) unhook(h *hook) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unhookLocked(h)
}

func (l *Limit) unhookLocked(h *hook) bool {
	for at := &l.hooks; *at != nil; at = &(*at).next {
		if *at == h {
			*at = h.next
			return true
		}
	}
	return false
}
