package ratelimit_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/ratelimit"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// At one point of time no token comes or goes by itself: exactly those that are
// there are given out, whoever is refused by what.
func TestConcurrentRequestsGetExactlyTheTokensThereAre(t *testing.T) {
	const each, callers = 60, 8
	policies := []*rules.RateLimitPolicy{
		policy("server", total(300), identity(50)),
		policy("route", forRoute("r"), total(100), identity(50)),
	}
	l := ratelimit.Compile(policies, web(), nil)
	var allowed, routed atomic.Int64
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range each {
				if _, ok := l.Allow(start, "r", strconv.Itoa(i)); ok {
					routed.Add(1)
				}
				if _, ok := l.Allow(start, "", strconv.Itoa(i)); ok {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := allowed.Load() + routed.Load(); n != 300 || routed.Load() > 100 {
		t.Errorf("%d were allowed, %d of them on the route; want 300, and 100 at most", n, routed.Load())
	}
}

func TestConcurrentNewcomersLoseNoToken(t *testing.T) {
	l := compile(policy("p", identity(1)))
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range most + 100 {
				if _, ok := l.Allow(start, "", strconv.Itoa(i)); ok {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := allowed.Load(); n != most+1 {
		t.Errorf("%d were allowed, want one for each of %d callers and one for the crowd", n, most)
	}
}

// Reloads go on beside requests; the race detector looks on.
func TestReloadsBesideRequests(t *testing.T) {
	var live atomic.Pointer[ratelimit.Limits]
	live.Store(compile(policy("p", total(1000), identity(10))))
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			for range 2000 {
				live.Load().Allow(start, "", strconv.Itoa(i))
			}
		})
	}
	for i := range 100 {
		parts := []part{total(1000), identity(10), override(1, strconv.Itoa(i/10))}
		live.Store(ratelimit.Compile([]*rules.RateLimitPolicy{policy("p", parts...)}, web(), live.Load()))
	}
	wg.Wait()
}
