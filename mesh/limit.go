package mesh

import (
	"context"
	"sync"
	"time"
)

// A limit is a context for one try. It ends with the caller's, or at a time that
// can be moved: the answer's headers must be there by the try's deadline, its
// body by the call's. It costs a fraction of context.WithDeadline, and a nil
// limit is a try without one.
//
// It has an AfterFunc method, which package context looks for before it starts
// a goroutine to watch a parent.
type limit struct {
	context.Context             // the caller's
	deadline        time.Time   // as it was made
	leave           func() bool // stops listening to the caller's context; nil: that never ends
	alarms          *alarms
	alarm           alarm // guarded by alarms

	mu    sync.Mutex // guards all below
	until time.Time  // zero: no end of its own
	done  chan struct{}
	err   error
	hooks *hook
	tied  hook // the one that Tie adds; its f is nil while there is none
}

// A hook is told of the end. There is one as a rule, the connection's.
type hook struct {
	f    func()
	next *hook
}

// begin starts a limit whose owner must stop it.
func (l *limit) begin(a *alarms, parent context.Context, deadline time.Time) {
	l.alarms, l.Context, l.deadline, l.until = a, parent, deadline, deadline
	a.set(l, deadline)
	if parent.Done() != nil {
		l.leave = context.AfterFunc(parent, func() { l.end(parent.Err(), false) })
		if err := parent.Err(); err != nil {
			l.end(err, false) // now, not a moment later: nothing is sent for a caller who has gone
		}
	}
}

// extend moves the end, and reports whether there is one to move: false if the
// limit has ended. Zero means that only the caller's context ends it.
func (l *limit) extend(deadline time.Time) bool {
	if l == nil {
		return true
	}
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

// stop gives the limit up: what still uses it is cancelled.
func (l *limit) stop() {
	if l == nil {
		return
	}
	if l.leave != nil {
		l.leave()
	}
	l.end(context.Canceled, false)
}

// expired reports that the time was up.
func (l *limit) expired() bool {
	return l != nil && l.Err() == context.DeadlineExceeded && l.Context.Err() == nil
}

// expire is the alarm's.
func (l *limit) expire() { l.end(context.DeadlineExceeded, true) }

func (l *limit) end(err error, alarm bool) {
	for h := l.close(err, alarm); h != nil; h = h.next {
		h.f()
	}
}

// close marks the end, once, and returns who is to be told.
func (l *limit) close(err error, alarm bool) *hook {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || alarm && !l.dueLocked() {
		return nil
	}
	if !alarm && !l.until.IsZero() {
		l.alarms.clear(l)
	}
	l.err = err
	if l.done != nil {
		close(l.done)
	}
	hooks := l.hooks
	l.hooks = nil
	return hooks
}

// dueLocked looks again, because an alarm may ring while the end is moved, and
// still rings at the old time once it has been moved to a later one.
func (l *limit) dueLocked() bool {
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
func (l *limit) Deadline() (time.Time, bool) { return l.deadline, true }

// Done implements context.Context.
func (l *limit) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.err != nil {
			close(l.done)
		}
	}
	return l.done
}

// Err implements context.Context.
func (l *limit) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// AfterFunc calls f once the limit has ended, in a goroutine of its own if it
// has already, and returns a function that prevents it.
func (l *limit) AfterFunc(f func()) (stop func() bool) {
	h := &hook{f: f}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		go f()
		return func() bool { return false }
	}
	l.hookLocked(h)
	return func() bool { return l.unhook(h) }
}

// Tie implements h1.Tier: it is an AfterFunc that costs no allocation, for one
// function at a time.
func (l *limit) Tie(f func()) bool {
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
func (l *limit) Untie() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.unhookLocked(&l.tied)
	if found {
		l.tied.f = nil
	}
	return found
}

func (l *limit) hookLocked(h *hook) { h.next, l.hooks = l.hooks, h }

func (l *limit) unhook(h *hook) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unhookLocked(h)
}

func (l *limit) unhookLocked(h *hook) bool {
	for at := &l.hooks; *at != nil; at = &(*at).next {
		if *at == h {
			*at = h.next
			return true
		}
	}
	return false
}
