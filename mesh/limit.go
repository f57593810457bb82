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
	context.Context // the caller's
	deadline        time.Time
	timer           *time.Timer
	leave           func() bool // stops listening to the caller's context; nil: it never ends

	// mu guards all below. newLimit holds it as well, for an end that comes at once
	// must wait until the fields above are there.
	mu    sync.Mutex
	done  chan struct{}
	err   error
	hooks map[*hook]struct{}
}

type hook struct{ f func() }

func newLimit(parent context.Context, deadline time.Time) *limit {
	l := &limit{Context: parent, deadline: deadline}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(time.Until(deadline), func() { l.end(context.DeadlineExceeded) })
	if parent.Done() != nil {
		l.leave = context.AfterFunc(parent, func() { l.end(parent.Err()) })
	}
	return l
}

// extend moves the end; zero means that only the caller's context ends it.
func (l *limit) extend(deadline time.Time) {
	switch {
	case l == nil:
	case deadline.IsZero():
		l.timer.Stop()
	default:
		l.timer.Reset(time.Until(deadline))
	}
}

// stop gives the limit up: what still uses it is cancelled.
func (l *limit) stop() {
	if l != nil {
		l.end(context.Canceled)
	}
}

// expired reports that the time was up.
func (l *limit) expired() bool {
	return l != nil && l.Err() == context.DeadlineExceeded && l.Context.Err() == nil
}

func (l *limit) end(err error) {
	hooks := l.close(err)
	l.timer.Stop()
	if l.leave != nil {
		l.leave()
	}
	for h := range hooks {
		h.f()
	}
}

// close marks the end, once, and returns who is to be told.
func (l *limit) close(err error) map[*hook]struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
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
	h := &hook{f}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		go f()
		return func() bool { return false }
	}
	if l.hooks == nil {
		l.hooks = map[*hook]struct{}{}
	}
	l.hooks[h] = struct{}{}
	return func() bool { return l.unhook(h) }
}

func (l *limit) unhook(h *hook) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, waiting := l.hooks[h]
	delete(l.hooks, h)
	return waiting
}
