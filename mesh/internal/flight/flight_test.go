package flight_test

import (
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/internal/flight"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type plane struct {
	entry  flight.Entry[plane]
	number int
}

func seen(b *flight.Board[plane]) (out []int) {
	b.Each(func(p *plane) { out = append(out, p.number) })
	slices.Sort(out)
	return out
}

func TestWhatIsUnderWayIsSeenWhateverTheOrderOfItsEnd(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}} {
		b := flight.New[plane]()
		lane, planes := b.Lane(), make([]plane, 3)
		left := []int{}
		for i := range planes {
			planes[i].number = i
			lane.Enter(&planes[i].entry, &planes[i])
			left = append(left, i)
		}
		for _, i := range order {
			if got := seen(b); !slices.Equal(got, left) {
				t.Fatalf("%v: %v, want %v", order, got, left)
			}
			planes[i].entry.Leave()
			planes[i].entry.Leave() // once more, to no effect
			left = slices.DeleteFunc(left, func(n int) bool { return n == i })
		}
		if got := seen(b); len(got) > 0 {
			t.Errorf("%v: %v are still there", order, got)
		}
	}
}

func TestWhatFliesIsChangedUnderTheEyesOfWhoeverLooks(t *testing.T) {
	b := flight.New[plane]()
	p := plane{number: 1}
	if p.entry.Flies() {
		t.Error("it flies before it has entered a lane")
	}
	b.Lane().Enter(&p.entry, &p)
	p.entry.Change(func(p *plane) { p.number = 2 })
	if got := seen(b); !p.entry.Flies() || !slices.Equal(got, []int{2}) {
		t.Errorf("got %v, want the new number", got)
	}
	if p.entry.Leave(); p.entry.Flies() {
		t.Error("it flies after it has left")
	}
}

// Who changes lanes meanwhile may be seen in both, or in neither; who stays is seen
// once, whoever comes and goes beside it.
func TestWhoStaysIsSeenOnceWhileManyEnterAndLeave(t *testing.T) {
	b := flight.New[plane]()
	const passing = -1
	stay, numbers := make([]plane, 32), []int{}
	for i := range stay {
		stay[i].number = i
		numbers = append(numbers, i)
		b.Lane().Enter(&stay[i].entry, &stay[i])
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			p, lane := plane{number: passing}, b.Lane()
			for i := range 2000 {
				if i%2 == 0 {
					lane = b.Any()
				}
				lane.Enter(&p.entry, &p)
				p.entry.Leave()
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
	if got := seen(b); !slices.Equal(got, numbers) {
		t.Errorf("%v are there, want nobody but who stays", got)
	}
}

func TestFlightsAreFree(t *testing.T) {
	b := flight.New[plane]()
	lane, p := b.Lane(), new(plane)
	if n := testing.AllocsPerRun(100, func() { lane.Enter(&p.entry, p); p.entry.Leave() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFlight(b *testing.B) {
	board := flight.New[plane]()
	b.RunParallel(func(pb *testing.PB) {
		lane, p := board.Lane(), new(plane)
		for pb.Next() {
			lane.Enter(&p.entry, p)
			p.entry.Leave()
		}
	})
}
