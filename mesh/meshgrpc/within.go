package meshgrpc

import (
	"context"
	"time"
)

// Deadline implements context.Context. It is the server that is told it: what a rule
// leaves of the time when the try begins, in whole milliseconds, as Envoy has it. So
// there are few values where there would be another one for each call, and HPACK has
// a word for them.
func (t *try) Deadline() (time.Time, bool) {
	if t.limit == nil {
		return t.Context.Deadline()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told.IsZero() {
		d, _ := t.until()
		t.told = t.tell(d, t.client.mesh.Now())
	}
	return t.told, true
}

// An unhurried context tells no server its deadline, which may be given up.
type unhurried struct{ context.Context }

// Deadline implements context.Context.
func (unhurried) Deadline() (deadline time.Time, ok bool) { return }

// until is when the try ends.
func (t *try) until() (time.Time, bool) {
	if t.limit != nil {
		return t.limit.Deadline()
	}
	return t.Context.Deadline()
}

// tell is how the deadline is told at a moment. A try that has spent more than a
// hundredth of its time by then, as one that waits for a connection may, tells what
// is left.
func (t *try) tell(deadline, now time.Time) time.Time {
	left := deadline.Sub(now)
	switch {
	case left <= 0:
		return deadline
	case t.whole-left <= t.whole/100:
		return now.Add(t.whole)
	}
	return now.Add(inMilliseconds(left))
}

// inMilliseconds rounds up.
func inMilliseconds(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}

// Done implements context.Context.
func (t *try) Done() <-chan struct{} {
	if t.limit != nil {
		return t.limit.Done()
	}
	return t.Context.Done()
}

// Err implements context.Context.
func (t *try) Err() error {
	if t.limit != nil {
		return t.limit.Err()
	}
	return t.Context.Err()
}

// AfterFunc is what package context asks for where a context is derived from this
// one, before it starts a goroutine to wait for its end.
func (t *try) AfterFunc(f func()) (stop func() bool) {
	if t.limit == nil {
		return context.AfterFunc(t.Context, f)
	}
	return t.limit.AfterFunc(f)
}
