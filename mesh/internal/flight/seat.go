package flight

import (
	"slices"
	"sync/atomic"
	"weak"
)

// A Seat is the place of one who flies often, one flight at a time.
type Seat[T any] struct {
	state atomic.Uint32
	of    *T // nil: it does not fly. Written by the owner while the seat is vacant
	board *Board[T]
	owner weak.Pointer[T] // who is used no more may go: the seat does not hold him
	_     [32]byte        // keeps the next one off this cache line
}

const (
	vacant uint32 = iota
	taken
	seen // taken, and somebody is looking: it cannot be left now
)

// Seat gives owner one for as long as it exists, or what it is a part of.
func (b *Board[T]) Seat(owner *T) *Seat[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.free) == 0 {
		b.makeRoomLocked()
	}
	last := len(b.free) - 1
	s := b.free[last]
	b.free = b.free[:last]
	s.owner = weak.Make(owner)
	return s
}

// fewSeats are made at once, and more where there are more already.
const fewSeats = 16

// makeRoomLocked frees the seats of those who are gone, and makes new ones unless that
// was half of them: so the search costs each who asks for a seat little.
func (b *Board[T]) makeRoomLocked() {
	for _, s := range b.seats {
		if s.owner.Value() == nil { // who flies is held by the seat itself
			b.free = append(b.free, s)
		}
	}
	if 2*len(b.free) >= max(fewSeats, len(b.seats)) {
		return
	}
	row := make([]Seat[T], max(fewSeats, len(b.seats)))
	for i := range row {
		row[i].board = b
		b.seats, b.free = append(b.seats, &row[i]), append(b.free, &row[i])
	}
}

func (b *Board[T]) all() []*Seat[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.seats)
}

// Enter begins a flight. What Each reads of it must not change until it leaves.
func (s *Seat[T]) Enter(of *T) {
	s.of = of
	s.state.Store(taken)
}

// Flies reports whether the seat is taken. It is its owner's to ask.
func (s *Seat[T]) Flies() bool { return s.of != nil }

// Change lets the owner of what flies change it.
func (s *Seat[T]) Change(f func(*T)) {
	s.board.sight.Lock()
	defer s.board.sight.Unlock()
	f(s.of)
}

// Leave ends a flight, if there is one.
func (s *Seat[T]) Leave() {
	if s.of == nil {
		return
	}
	if !s.state.CompareAndSwap(taken, vacant) {
		s.wait()
	}
	s.of = nil
}

// wait leaves once nobody looks any more.
func (s *Seat[T]) wait() {
	s.board.sight.Lock()
	defer s.board.sight.Unlock()
	s.state.Store(vacant)
}

func (s *Seat[T]) look(read func(*T)) {
	s.board.sight.Lock()
	defer s.board.sight.Unlock()
	if s.state.CompareAndSwap(taken, seen) {
		defer s.state.Store(taken)
		read(s.of)
	}
}
