package breaker_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
)

// A line notes who got a slot, in order, and who did not.
type line struct {
	gate   *breaker.Gate
	mu     sync.Mutex
	served []int
	failed map[int]error
}

func newLine(l breaker.Limits) *line {
	g := new(breaker.Gate)
	g.SetLimits(l)
	return &line{gate: g, failed: make(map[int]error)}
}

// join lets caller id ask for a slot, and returns when it has one or waits.
func (l *line) join(ctx context.Context, id int) {
	go func() {
		err := l.gate.AcquireSlot(ctx)
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			l.failed[id] = err
			return
		}
		l.served = append(l.served, id)
	}()
	synctest.Wait()
}

func (l *line) want(t *testing.T, served []int, u breaker.Usage) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.served, served) {
		t.Errorf("served %v, want %v", l.served, served)
	}
	if got := l.gate.Usage(); got != u {
		t.Errorf("usage %+v, want %+v", got, u)
	}
}

func TestSlotsAreGivenInOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(breaker.Limits{MaxConnections: 2})
		for id := range 5 {
			l.join(t.Context(), id)
		}
		l.want(t, []int{0, 1}, breaker.Usage{Connections: 2, Pending: 3})
		l.gate.ReleaseSlot()
		l.want(t, []int{0, 1, 2}, breaker.Usage{Connections: 2, Pending: 2})
		for range 4 {
			l.gate.ReleaseSlot()
			synctest.Wait()
		}
		l.want(t, []int{0, 1, 2, 3, 4}, breaker.Usage{})
	})
}

func TestMorePendingThanAllowedOverflowAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(breaker.Limits{MaxConnections: 1, MaxPending: 1})
		for id := range 3 {
			l.join(t.Context(), id)
		}
		var overflow *breaker.OverflowError
		if !errors.As(l.failed[2], &overflow) || overflow.Limit != "http1MaxPendingRequests" || overflow.Max != 1 {
			t.Errorf("the third got %v, want an overflow of http1MaxPendingRequests 1", l.failed[2])
		}
		l.gate.ReleaseSlot()
		l.want(t, []int{0, 1}, breaker.Usage{Connections: 1})
	})
}

func TestARequestThatWaitsForADialIsPendingToo(t *testing.T) {
	g := new(breaker.Gate)
	g.SetLimits(breaker.Limits{MaxConnections: 1, MaxPending: 1})
	_ = g.AcquireSlot(t.Context())
	_ = g.AcquirePending()
	if err := g.AcquireSlot(t.Context()); !errors.Is(err, breaker.ErrOverflow) {
		t.Errorf("got %v, want an overflow: the one pending place is taken by a dial", err)
	}
}

func TestAWaitEndsWithTheContextsCauseAndLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(breaker.Limits{MaxConnections: 1})
		l.join(t.Context(), 0)
		left := errors.New("caller left")
		ctx, cancel := context.WithCancelCause(t.Context())
		l.join(ctx, 1)
		l.join(t.Context(), 2)
		cancel(left)
		l.want(t, []int{0}, breaker.Usage{Connections: 1, Pending: 1})
		if !errors.Is(l.failed[1], left) {
			t.Errorf("got %v, want the context's cause", l.failed[1])
		}
		l.gate.ReleaseSlot()
		l.want(t, []int{0, 2}, breaker.Usage{Connections: 1})
		l.gate.ReleaseSlot()
	})
}

// The slot is released after the caller in front was told to give up and, most
// times, before it has left the queue: it must go to the next.
func TestASlotGivenToOneWhoLeavesGoesToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 200 {
			l := newLine(breaker.Limits{MaxConnections: 1})
			l.join(t.Context(), 0)
			ctx, cancel := context.WithCancel(t.Context())
			l.join(ctx, 1)
			l.join(t.Context(), 2)
			cancel()
			l.gate.ReleaseSlot()
			l.want(t, []int{0, 2}, breaker.Usage{Connections: 1})
			l.gate.SetLimits(breaker.Limits{}) // whoever was forgotten gets away
			synctest.Wait()
		}
	})
}

func TestSetLimitsWakesThoseWhoMayGoNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(breaker.Limits{MaxConnections: 1})
		for id := range 4 {
			l.join(t.Context(), id)
		}
		l.gate.SetLimits(breaker.Limits{MaxConnections: 2})
		l.want(t, []int{0, 1}, breaker.Usage{Connections: 2, Pending: 2})
		l.gate.SetLimits(breaker.Limits{MaxConnections: 1, MaxPending: 1})
		l.gate.ReleaseSlot()
		l.want(t, []int{0, 1}, breaker.Usage{Connections: 1, Pending: 2})
		l.gate.SetLimits(breaker.Limits{MaxConnections: 2})
		l.want(t, []int{0, 1, 2}, breaker.Usage{Connections: 2, Pending: 1})
		l.gate.SetLimits(breaker.Limits{})
		l.want(t, []int{0, 1, 2, 3}, breaker.Usage{Connections: 3})
	})
}

// Callers come, give up at random moments and change the limits; no slot may be
// lost, leaked or given out twice.
func TestSlotsStayExactUnderLoad(t *testing.T) {
	var g breaker.Gate
	const most = 4
	g.SetLimits(breaker.Limits{MaxConnections: most})
	var inside atomic.Int32
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for range 300 {
				useSlot(t, &g, &inside, most)
			}
		})
	}
	for i := range 200 {
		g.SetLimits(breaker.Limits{MaxConnections: uint32(1 + i%most)})
	}
	g.SetLimits(breaker.Limits{MaxConnections: most})
	callers.Wait()
	if got := g.Usage(); got != (breaker.Usage{}) {
		t.Errorf("usage %+v afterwards, want none", got)
	}
}

func useSlot(t *testing.T, g *breaker.Gate, inside *atomic.Int32, most int32) {
	ctx, cancel := context.WithTimeout(t.Context(), rand.N(100*time.Microsecond))
	defer cancel()
	if err := g.AcquireSlot(ctx); err != nil {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		return
	}
	if n := inside.Add(1); n > most {
		t.Errorf("%d in flight, want at most %d", n, most)
	}
	inside.Add(-1)
	g.ReleaseSlot()
}

func TestATakenSlotIsNotWaitedFor(t *testing.T) {
	var g breaker.Gate
	for range 3 {
		if err := g.TakeSlot(); err != nil { // no limit
			t.Fatal(err)
		}
	}
	g.SetLimits(breaker.Limits{MaxConnections: 3})
	err := g.TakeSlot()
	if !errors.Is(err, breaker.ErrOverflow) || !strings.Contains(err.Error(), "maxConnections is 3") {
		t.Errorf("got %v", err)
	}
	g.ReleaseSlot()
	if err := g.TakeSlot(); err != nil || g.Usage().Connections != 3 || g.Usage().Pending != 0 {
		t.Errorf("got %v, %+v", err, g.Usage())
	}
}

// Neither with a slot that others hold nor with one that others wait for.
func TestTryAcquireSlotTakesWhatIsFreeAndNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(breaker.Limits{MaxConnections: 1})
		if !l.gate.TryAcquireSlot() {
			t.Fatal("the one slot is free and was refused")
		}
		if l.gate.TryAcquireSlot() {
			t.Error("a slot was given twice")
		}
		l.join(t.Context(), 1)
		l.gate.SetLimits(breaker.Limits{MaxConnections: 2})
		l.want(t, []int{1}, breaker.Usage{Connections: 2})
		l.join(t.Context(), 2)
		if l.gate.TryAcquireSlot() {
			t.Error("somebody waits who came first")
		}
		l.gate.ReleaseSlot()
		l.gate.ReleaseSlot()
		l.want(t, []int{1, 2}, breaker.Usage{Connections: 1})
		if !l.gate.TryAcquireSlot() {
			t.Error("a slot that is free again was refused")
		}
	})
}
