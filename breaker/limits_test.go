package breaker_test

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/inmesh-go/inmesh/breaker"
)

// kinds are the counters that admit at once.
func kinds() map[string]struct {
	limits  breaker.Limits
	acquire func(*breaker.Gate) error
	release func(*breaker.Gate)
} {
	type kind = struct {
		limits  breaker.Limits
		acquire func(*breaker.Gate) error
		release func(*breaker.Gate)
	}
	return map[string]kind{
		"http2MaxRequests": {breaker.Limits{MaxRequests: 2},
			(*breaker.Gate).AcquireRequest, (*breaker.Gate).ReleaseRequest},
		"maxRetries": {breaker.Limits{MaxRetries: 2},
			(*breaker.Gate).AcquireRetry, (*breaker.Gate).ReleaseRetry},
		"http1MaxPendingRequests": {breaker.Limits{MaxPending: 2},
			(*breaker.Gate).AcquirePending, (*breaker.Gate).ReleasePending},
	}
}

func TestRefusesWhatExceedsALimitAndNamesIt(t *testing.T) {
	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) {
			var g breaker.Gate
			g.SetLimits(k.limits)
			admit(t, &g, k.acquire, 2)
			err := k.acquire(&g)
			var overflow *breaker.OverflowError
			if !errors.As(err, &overflow) || !errors.Is(err, breaker.ErrOverflow) {
				t.Fatalf("third: got %v, want an overflow", err)
			}
			if overflow.Limit != name || overflow.Max != 2 || !strings.Contains(err.Error(), name+" is 2") {
				t.Errorf("got %v, want it to name %s and 2", err, name)
			}
			k.release(&g)
			admit(t, &g, k.acquire, 1)
		})
	}
}

func TestTheZeroGateRefusesNothing(t *testing.T) {
	var g breaker.Gate
	for _, k := range kinds() {
		admit(t, &g, k.acquire, 10_000)
	}
	want := breaker.Usage{Requests: 10_000, Retries: 10_000, Pending: 10_000}
	if got := g.Usage(); got != want {
		t.Errorf("usage %+v, want %+v", got, want)
	}
}

func TestALimitSetLaterCountsWhatIsUnderWay(t *testing.T) {
	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) {
			var g breaker.Gate
			admit(t, &g, k.acquire, 3)
			g.SetLimits(k.limits)
			for range 2 {
				if err := k.acquire(&g); err == nil {
					t.Fatal("admitted although the limit of 2 is reached")
				}
				k.release(&g)
			}
			admit(t, &g, k.acquire, 1)
			g.SetLimits(breaker.Limits{})
			admit(t, &g, k.acquire, 5)
		})
	}
}

// However many come at once, no more than the limit are in, and every place is free
// again in the end.
func TestALimitIsKeptWhileManyComeAtOnce(t *testing.T) {
	const most, callers, rounds = 3, 8, 5000
	var g breaker.Gate
	g.SetLimits(breaker.Limits{MaxRequests: most})
	var in, admitted, refused atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range rounds {
				if g.AcquireRequest() != nil {
					refused.Add(1)
					continue
				}
				if n := in.Add(1); n > most {
					t.Errorf("%d are in, want at most %d", n, most)
				}
				admitted.Add(1)
				runtime.Gosched()
				in.Add(-1)
				g.ReleaseRequest()
			}
		})
	}
	all.Wait()
	if got := g.Usage(); got != (breaker.Usage{}) {
		t.Errorf("%+v when all have left", got)
	}
	if admitted.Load() == 0 || admitted.Load()+refused.Load() != callers*rounds {
		t.Errorf("%d admitted, %d refused", admitted.Load(), refused.Load())
	}
	for range most { // a place that was lost would be missing now
		if err := g.AcquireRequest(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReleasingMoreThanAcquiredPanics(t *testing.T) {
	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			k.release(new(breaker.Gate))
		})
	}
}

func TestAdmissionDoesNotAllocate(t *testing.T) {
	for _, limits := range []breaker.Limits{{}, {MaxConnections: 9, MaxPending: 9, MaxRequests: 9, MaxRetries: 9}} {
		var g breaker.Gate
		g.SetLimits(limits)
		ctx := t.Context()
		allocs := testing.AllocsPerRun(100, func() {
			_ = g.AcquireRequest()
			_ = g.AcquireSlot(ctx)
			g.ReleaseSlot()
			g.ReleaseRequest()
		})
		if allocs != 0 {
			t.Errorf("limits %+v: %v allocations, want 0", limits, allocs)
		}
	}
}

func admit(t *testing.T, g *breaker.Gate, acquire func(*breaker.Gate) error, n int) {
	t.Helper()
	for i := range n {
		if err := acquire(g); err != nil {
			t.Fatalf("number %d: %v", i+1, err)
		}
	}
}
