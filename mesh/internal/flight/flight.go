// Package flight knows what is under way: requests enter when they begin and leave
// when they end, and whoever wants to know looks at all of them.
//
// Who flies often, such as what is used again for one request after the other, has a
// seat: to enter and to leave costs an atomic step each that nobody else is at. Who
// flies once takes a lane, at the price of a lock. Neither allocates anything.
package flight

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// A Board is all lanes and seats. New makes it.
type Board[T any] struct {
	lanes []Lane[T]
	next  atomic.Uint32

	mu    sync.Mutex // guards seats, their owners and free
	seats []*Seat[T] // as many as were owned at once, and up to as many more
	free  []*Seat[T]
	sight sync.Mutex // held by whoever looks at a seat, or changes what is in it
}

// New makes a Board that is empty.
func New[T any]() *Board[T] {
	return &Board[T]{lanes: make([]Lane[T], 4*runtime.GOMAXPROCS(0))}
}

// A Lane is a list of what is under way.
type Lane[T any] struct {
	mu    sync.Mutex // guards first, and the neighbours of all entries of the lane
	first *Entry[T]
	_     [64]byte // keeps the next one off this cache line
}

// An Entry is what flies, in its lane. It is used again after Leave.
type Entry[T any] struct {
	lane           *Lane[T]
	of             *T
	before, behind *Entry[T]
}

// Lane gives the lanes out in turn, to be kept.
func (b *Board[T]) Lane() *Lane[T] { return &b.lanes[int(b.next.Add(1)-1)%len(b.lanes)] }

// Any is some lane, for whoever flies once.
func (b *Board[T]) Any() *Lane[T] { return &b.lanes[rand.IntN(len(b.lanes))] }

// Enter begins the flight of what e is a part of. What Each reads of it must not
// change until it leaves.
func (l *Lane[T]) Enter(e *Entry[T], of *T) {
	e.lane, e.of = l, of
	l.mu.Lock()
	e.behind = l.first
	if e.behind != nil {
		e.behind.before = e
	}
	l.first = e
	l.mu.Unlock()
}

// Flies reports whether e is in a lane. It is its owner's to ask.
func (e *Entry[T]) Flies() bool { return e.lane != nil }

// Change lets the owner of what flies change it.
func (e *Entry[T]) Change(f func(*T)) {
	e.lane.mu.Lock()
	defer e.lane.mu.Unlock()
	f(e.of)
}

// Leave ends a flight. It may be called on an entry that flies no more, or never
// did.
func (e *Entry[T]) Leave() {
	l := e.lane
	if l == nil {
		return
	}
	l.mu.Lock()
	if e.behind != nil {
		e.behind.before = e.before
	}
	if e.before != nil {
		e.before.behind = e.behind
	} else {
		l.first = e.behind
	}
	l.mu.Unlock()
	*e = Entry[T]{}
}

// Each shows read all that is under way. While it looks at one, that one, and its
// lane, cannot end: read must be quick, and is not to keep what it is shown.
func (b *Board[T]) Each(read func(*T)) {
	for i := range b.lanes {
		b.lanes[i].each(read)
	}
	for _, s := range b.all() {
		s.look(read)
	}
}

func (l *Lane[T]) each(read func(*T)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := l.first; e != nil; e = e.behind {
		read(e.of)
	}
}
