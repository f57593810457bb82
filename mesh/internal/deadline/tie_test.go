package deadline

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsTiedIsCalledOnceWhenTheLimitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := begun(t.Context(), time.Now().Add(time.Second))
		var calls atomic.Int32
		if !l.Tie(func() { calls.Add(1) }) {
			t.Fatal("Tie: false")
		}
		<-time.After(2 * time.Second)
		if l.Untie() || calls.Load() != 1 {
			t.Errorf("called %d times, and untied after that", calls.Load())
		}
		if l.Tie(func() { t.Error("called") }) {
			t.Error("tied to what has ended")
		}
		l.Stop()
	})
}

func TestWhatIsUntiedIsNotCalled(t *testing.T) {
	l := begun(t.Context(), time.Now().Add(time.Hour))
	never := func() { t.Error("called") }
	for range 3 {
		if !l.Tie(never) || l.Tie(never) || !l.Untie() || l.Untie() {
			t.Fatal("it is tied and untied once, in turn")
		}
	}
	stop := context.AfterFunc(l, never)
	if !l.Tie(never) || !stop() || !l.Untie() {
		t.Error("a tie and an AfterFunc got into each other's way")
	}
	l.Stop()
}

// Either it was untied, or it is called: never both, never neither.
func TestATieIsLetGoOrCalled(t *testing.T) {
	for range 2000 {
		l := begun(context.Background(), time.Now().Add(rand.N(20*time.Microsecond)))
		var calls atomic.Int32
		tied := l.Tie(func() { calls.Add(1) })
		var ends sync.WaitGroup
		ends.Go(func() { late(l) })
		ends.Go(l.Stop)
		untied := l.Untie()
		ends.Wait()
		if tied {
			want := int32(1)
			if untied {
				want = 0
			}
			awaitCount(t, &calls, want)
		}
	}
}

func TestATieCostsNoAllocation(t *testing.T) {
	l := begun(context.Background(), time.Now().Add(time.Hour))
	defer l.Stop()
	f := func() {}
	if got := testing.AllocsPerRun(100, func() { l.Tie(f); l.Untie() }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
