package balancer

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// A rotation counts turns. A counter that all cores write is three times slower on two cores
// than on one, and worse on more, but one counter is what makes a rotation exact. So there is one
// as long as the cores do not collide on it, and one for each core for a while after they did:
// each core then rotates on its own from a random start, like Envoy's workers.
type rotation struct {
	_     [64]byte
	turn  atomic.Uint64
	_     [56]byte
	apart atomic.Bool
	own   sync.Pool // of *cursor: per core, by how sync.Pool works
}

// A cursor is a core's own turn, on a cache line of its own.
type cursor struct {
	turn uint64
	_    [56]byte
}

func newRotation() *rotation {
	r := &rotation{own: sync.Pool{New: func() any { return &cursor{turn: rand.Uint64()} }}}
	r.turn.Store(uint64(rand.Uint32())) // clients that start together must not march in step
	return r
}

func (r *rotation) next() uint64 {
	if !r.apart.Load() {
		turn := r.turn.Load()
		if r.turn.CompareAndSwap(turn, turn+1) {
			return turn
		}
		r.apart.Store(true)
	}
	return r.nextApart()
}

// nextApart takes a turn of this core's own, and once in 256 has the next turn try the common
// counter again.
func (r *rotation) nextApart() uint64 {
	own := r.own.Get().(*cursor)
	own.turn++
	turn := own.turn
	r.own.Put(own)
	if turn%256 == 0 {
		r.apart.Store(false)
	}
	return turn
}
