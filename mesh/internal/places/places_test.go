package places_test

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/internal/places"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A lodger may be evicted once, after a second, and leaves when he likes.
type lodger struct{ evicted chan struct{} }

func (l lodger) due() <-chan time.Time { return time.After(time.Second) }

func (l lodger) evict() bool {
	close(l.evicted)
	return true
}

func TestWhoComesLastWaitsUntilTheEvictedHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lodger{make(chan struct{})}
		p := places.New(1, l.due, l.evict, nil)
		if !p.Take() || p.Len() != 1 {
			t.Fatalf("%d places are taken, want the first", p.Len())
		}
		begun := time.Now()
		go func() {
			<-l.evicted
			time.Sleep(time.Minute) // he takes his time: nobody else is evicted meanwhile
			p.Leave()
		}()
		if !p.Take() || time.Since(begun) != time.Second+time.Minute || p.Len() != 1 {
			t.Errorf("after %v, %d taken", time.Since(begun), p.Len())
		}
	})
}

func TestNobodyGetsAPlaceAfterTheEnd(t *testing.T) {
	for name, evict := range map[string]func() bool{"waiting": func() bool { return false }, "after an eviction": func() bool { return true }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				closed := make(chan struct{})
				p := places.New(1, func() <-chan time.Time { return time.After(time.Second) }, evict, closed)
				p.Take()
				time.AfterFunc(time.Minute, func() { close(closed) })
				if p.Take() {
					t.Error("took a place that nobody has left")
				}
			})
		})
	}
}
