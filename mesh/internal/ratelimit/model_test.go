package ratelimit_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/ratelimit"
)

// A tank is a bucket counted in whole numbers: a token is 64 drops, time goes in
// 64ths of a second, and a rate of n adds n drops in each.
type tank struct{ rate, drops, tick int }

func newTank(rate int) *tank { return &tank{rate: rate, drops: 64 * rate} }

func (k *tank) fill(tick int) {
	k.drops = min(64*k.rate, k.drops+(tick-k.tick)*k.rate)
	k.tick = tick
}

// A model is what the policies of TestAgainstAModel say, written down directly.
type model struct {
	server, route, override *tank
	identity, routeIdentity map[string]*tank
}

func (m *model) tanks(route, caller string) (all []*tank) {
	all = append(all, m.server)
	if caller == "o" || caller == "p" {
		all = append(all, m.override)
	} else {
		all = append(all, tankOf(m.identity, caller, 2))
	}
	if route == "r" {
		all = append(all, m.route, tankOf(m.routeIdentity, caller, 1))
	}
	return all
}

func tankOf(of map[string]*tank, caller string, rate int) *tank {
	if of[caller] == nil {
		of[caller] = newTank(rate)
	}
	return of[caller]
}

func (m *model) allow(tick int, route, caller string) bool {
	all := m.tanks(route, caller)
	for _, k := range all {
		if k.fill(tick); k.drops < 64 {
			return false
		}
	}
	for _, k := range all {
		k.drops -= 64
	}
	return true
}

func TestAgainstAModel(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		m := &model{server: newTank(8), route: newTank(4), override: newTank(4), identity: map[string]*tank{}, routeIdentity: map[string]*tank{}}
		l := compile(
			policy("server", total(8), identity(2), override(4, "o", "p")),
			policy("route", forRoute("r"), total(4), identity(1)))
		tick := 0
		for i := range 500 {
			tick += random.IntN(8) * random.IntN(2)
			route, caller := []string{"", "r"}[random.IntN(2)], []string{"", "a", "b", "o", "p"}[random.IntN(5)]
			refusal, got := l.Allow(start.Add(time.Duration(tick)*time.Second/64), route, named(caller))
			if want := m.allow(tick, route, caller); got != want {
				t.Fatalf("seed %d, request %d: route %q, caller %q at %s/64 s: got %v (%v), want %v", seed, i, route, caller, strconv.Itoa(tick), got, refusal, want)
			}
			if !got && (refusal.Wait <= 0 || refusal.Wait > time.Second) {
				t.Fatalf("seed %d, request %d: a wait of %v", seed, i, refusal.Wait)
			}
		}
	}
}

func named(account string) string {
	if account == "" {
		return ""
	}
	return id(account)
}

// TestTheWaitIsEnough: who waits as long as was said is let through if nobody
// came between.
func TestTheWaitIsEnough(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		l := compile(policy("p", total(1+random.Uint32N(1000)), identity(1+random.Uint32N(1000))))
		now := start
		for range 20 {
			refusal, ok := ratelimit.Refusal{}, true
			for ok {
				refusal, ok = l.Allow(now, "", "a")
			}
			now = now.Add(refusal.Wait + 1) // a wait is cut off to whole nanoseconds
			if refusal, ok := l.Allow(now, "", "a"); !ok {
				t.Fatalf("after the wait: %+v", refusal)
			}
		}
	}
}
