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

	mu    sync.Mutex // guards all below
	timer *time.Timer
	until time.Time // zero: no end of its own
	done  chan struct{}
	err   error
	hooks *hook
}

// A hook is told of the end. There is one as a rule, net/http's.
type hook struct {
	f    func()
	next *hook
}

// begin starts a limit whose owner must stop it.
func (l *limit) begin(parent context.Context, deadline time.Time) {
	l.Context, l.deadline, l.until = parent, deadline, deadline
	l.start()
	if parent.Done() != nil {
		l.leave = context.AfterFunc(parent, func() { l.end(parent.Err(), false) })
		if err := parent.Err(); err != nil {
			l.end(err, false) // now, not a moment later: nothing is sent for a caller who has gone
		}
	}
}

// start holds the lock because the timer may fire before it has a name.
func (l *limit) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(time.Until(l.until), l.expire)
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
		l.timer.Stop()
	case sooner:
		l.timer.Reset(time.Until(deadline))
	} // later: dueLocked sets the timer anew when it fires
	return true
}

// stop gives the limit up: what still uses it is cancelled.
func (l *limit) stop() {
	if l == nil {
		return
	}
	l.extend(time.Time{})
	if l.leave != nil {
		l.leave()
	}
	l.end(context.Canceled, false)
}

// expired reports that the time was up.
func (l *limit) expired() bool {
	return l != nil && l.Err() == context.DeadlineExceeded && l.Context.Err() == nil
}

// expire is the timer's.
func (l *limit) expire() { l.end(context.DeadlineExceeded, true) }

func (l *limit) end(err error, timer bool) {
	for h := l.close(err, timer); h != nil; h = h.next {
		h.f()
	}
}

// close marks the end, once, and returns who is to be told.
func (l *limit) close(err error, timer bool) *hook {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || timer && !l.dueLocked() {
		return nil
	}
	l.err = err
	if l.done != nil {
		close(l.done)
	}
	hooks := l.hooks
	l.hooks = nil
	return hooks
}

// dueLocked looks again, because a timer's Stop and Reset do not wait for one
// that has fired: it may run after the end was moved.
func (l *limit) dueLocked() bool {
	if l.until.IsZero() {
		return false
	}
	left := time.Until(l.until)
	if left > 0 {
		l.timer.Reset(left)
	}
	return left <= 0
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
	h.next, l.hooks = l.hooks, h
	return func() bool { return l.unhook(h) }
}

func (l *limit) unhook(h *hook) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at := &l.hooks; *at != nil; at = &(*at).next {
		if *at == h {
			*at = h.next
			return true
		}
	}
	return false
}
