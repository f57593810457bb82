package breaker

import (
	"container/list"
	"context"
)

// A waiter waits for a slot. granted is closed, under the Gate's lock, when it
// has left the queue with one.
type waiter struct {
	granted chan struct{}
	place   *list.Element
}

// TryAcquireSlot is AcquireSlot where that would not have to wait: it reports whether
// the request was admitted.
func (g *Gate) TryAcquireSlot() bool { return g.waiting.Load() == 0 && g.slots.take() }

// AcquireSlot admits an HTTP/1 request to a connection. At most MaxConnections
// are in flight; further ones wait here, first come first served, at most
// MaxPending of them; more get an *OverflowError at once. When ctx ends during
// the wait, AcquireSlot returns context.Cause(ctx). After nil, ReleaseSlot must
// follow the request's end.
func (g *Gate) AcquireSlot(ctx context.Context) error {
	if g.TryAcquireSlot() {
		return nil
	}
	return g.waitForSlot(ctx)
}

func (g *Gate) waitForSlot(ctx context.Context) error {
	w, err := g.enqueue()
	if w == nil {
		return err
	}
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
		g.abandon(w)
		return context.Cause(ctx)
	}
}

// ReleaseSlot ends a request that AcquireSlot admitted, and passes its slot on.
func (g *Gate) ReleaseSlot() {
	g.slots.release()
	if g.waiting.Load() > 0 {
		g.grant()
	}
}

// enqueue returns a waiter in the queue, or nil with a slot or an error.
func (g *Gate) enqueue() (*waiter, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	// First announce, then look: either this look finds the slot that another
	// goroutine releases now, or that goroutine finds somebody waiting.
	g.waiting.Add(1)
	if g.queue.Len() == 0 && g.slots.take() {
		g.waiting.Add(-1)
		return nil, nil
	}
	if err := g.AcquirePending(); err != nil {
		g.waiting.Add(-1)
		return nil, err
	}
	w := &waiter{granted: make(chan struct{})}
	w.place = g.queue.PushBack(w)
	return w, nil
}

func (g *Gate) grant() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.grantLocked()
}

// grantLocked gives free slots to those in front.
func (g *Gate) grantLocked() {
	for g.queue.Len() > 0 && g.slots.take() {
		w := g.queue.Front().Value.(*waiter)
		g.leaveLocked(w)
		close(w.granted)
	}
}

func (g *Gate) leaveLocked(w *waiter) {
	g.queue.Remove(w.place)
	g.waiting.Add(-1)
	g.pending.release()
}

// abandon takes w out of the queue; if it was granted a slot meanwhile, the
// slot goes to the next.
func (g *Gate) abandon(w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-w.granted:
		g.slots.release()
		g.grantLocked()
	default:
		g.leaveLocked(w)
	}
}

// TakeSlot admits a connection of which nobody waits for another to end, as those
// of TCP are: over MaxConnections it returns an *OverflowError at once. After nil,
// ReleaseSlot must follow its end.
func (g *Gate) TakeSlot() error {
	if g.TryAcquireSlot() {
		return nil
	}
	return g.slots.refusal("maxConnections")
}
