package flight_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"weak"

	"github.com/inmesh-go/inmesh/mesh/internal/flight"
)

func TestWhoHasASeatIsSeenWhileHeFlies(t *testing.T) {
	b, p := flight.New[plane](), &plane{number: 1}
	s := b.Seat(p)
	for range 2 {
		if s.Flies() || len(seen(b)) > 0 {
			t.Fatalf("%v fly before they have entered", seen(b))
		}
		s.Enter(p)
		s.Change(func(p *plane) { p.number++ })
		if got := seen(b); !s.Flies() || !slices.Equal(got, []int{p.number}) {
			t.Errorf("got %v, want %d", got, p.number)
		}
		s.Leave()
		s.Leave() // once more, to no effect
	}
}

func TestASeatIsLeftWhenNobodyLooksAnyMore(t *testing.T) {
	b, p := flight.New[plane](), &plane{number: 1}
	s := b.Seat(p)
	s.Enter(p)
	left := make(chan struct{})
	b.Each(func(p *plane) {
		go func() {
			s.Leave()
			close(left)
		}()
		for range 1000 { // the race detector knows of what comes too early
			runtime.Gosched()
			if p.number != 1 {
				t.Errorf("number %d: it has been changed while it was looked at", p.number)
			}
		}
	})
	<-left
	p.number = 2
	if got := seen(b); len(got) > 0 {
		t.Errorf("%v fly", got)
	}
}

func TestWhoStaysInASeatIsSeenOnceWhileManyComeAndGo(t *testing.T) {
	b := flight.New[plane]()
	const passing = -1
	numbers := []int{0, 1, 2}
	for _, i := range numbers {
		p := &plane{number: i}
		b.Seat(p).Enter(p)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			p := &plane{}
			s := b.Seat(p)
			for range 2000 {
				p.number = passing // nobody may look at it now
				s.Enter(p)
				s.Leave()
			}
		})
	}
	for range 200 {
		got := slices.DeleteFunc(seen(b), func(n int) bool { return n == passing })
		if !slices.Equal(got, numbers) {
			t.Errorf("%v, want all who stay", got)
		}
	}
	all.Wait()
}

// An answer that nobody closes is under way for good, whoever has forgotten it; but who
// only might fly again may go.
func TestASeatHoldsItsOwnerAsLongAsHeFlies(t *testing.T) {
	b := flight.New[plane]()
	s, owner := abandoned(b)
	runtime.GC()
	if got := seen(b); owner.Value() == nil || !slices.Equal(got, []int{1}) {
		t.Fatalf("%v fly, want the one that nobody else knows", got)
	}
	s.Leave()
	for i := 0; i < 100 && owner.Value() != nil; i++ {
		runtime.GC()
	}
	if owner.Value() != nil {
		t.Error("the board holds who does not fly any more")
	}
}

func abandoned(b *flight.Board[plane]) (*flight.Seat[plane], weak.Pointer[plane]) {
	p := &plane{number: 1}
	s := b.Seat(p)
	s.Enter(p)
	return s, weak.Make(p)
}

func TestSeatsOfThoseWhoAreGoneAreUsedAgain(t *testing.T) {
	b := flight.New[plane]()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for range 50 {
		for range 1000 {
			b.Seat(new(plane))
		}
		runtime.GC()
	}
	if grown := int64(heap() - before); grown > 1<<20 { // 64 bytes each would be three times as much
		t.Errorf("50,000 seats take %d bytes for good", grown)
	}
	runtime.KeepAlive(b)
}

func TestSeatsAreFree(t *testing.T) {
	b, p := flight.New[plane](), new(plane)
	s := b.Seat(p)
	if n := testing.AllocsPerRun(100, func() { s.Enter(p); s.Leave() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSeat(b *testing.B) {
	board := flight.New[plane]()
	b.RunParallel(func(pb *testing.PB) {
		p := new(plane)
		for s := board.Seat(p); pb.Next(); {
			s.Enter(p)
			s.Leave()
		}
	})
}
