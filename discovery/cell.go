package discovery

import (
	"context"
	"sync/atomic"
)

// A cell shows the newest value to any number of readers and wakes them when a
// newer one stands. Slow readers miss values between; the values are whole, so
// they miss nothing that matters.
type cell[T any] struct {
	newest atomic.Pointer[generation[T]]
}

type generation[T any] struct {
	value T
	over  chan struct{} // closed when a newer generation stands
}

func newCell[T any](value T) *cell[T] {
	c := new(cell[T])
	c.newest.Store(&generation[T]{value, make(chan struct{})})
	return c
}

func (c *cell[T]) set(value T) {
	old := c.newest.Swap(&generation[T]{value, make(chan struct{})})
	close(old.over)
}

// follow yields what each generation says of one service, until ctx ends. The
// generation that stands when complete ends is the last one: it is yielded, too.
func (c *cell[T]) follow(ctx, complete context.Context, see func(T) view, yield func([]Endpoint, error) bool) {
	var last view
	for ctx.Err() == nil {
		over := complete.Err() != nil // asked first: nothing is set after that
		g := c.newest.Load()
		v := see(g.value)
		if !v.tell(last, yield) || over {
			return
		}
		last = v
		select {
		case <-g.over:
		case <-complete.Done():
		case <-ctx.Done():
		}
	}
}
