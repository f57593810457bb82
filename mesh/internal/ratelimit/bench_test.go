package ratelimit_test

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/ratelimit"
)

// enough never refuses a benchmark.
const enough = 1<<32 - 1

func full() *ratelimit.Limits {
	return compile(
		policy("server", total(enough), identity(1), override(enough, "o")),
		policy("route", forRoute("r"), total(enough), identity(enough)))
}

func TestAKnownCallerCostsNoAllocation(t *testing.T) {
	l := full()
	for name, r := range map[string]request{
		"allowed by an override":  {caller: id("o")},
		"refused by the identity": {caller: id("a")},
		"without an identity":     {},
		"four buckets":            {route: "r", caller: id("o")},
		"no policy":               {route: "none"},
	} {
		l.Allow(start, r.route, r.caller)
		if n := testing.AllocsPerRun(100, func() { l.Allow(start, r.route, r.caller) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkAllow(b *testing.B) {
	for name, l := range map[string]*ratelimit.Limits{
		"none":           compile(),
		"total":          compile(policy("p", total(enough))),
		"identity":       compile(policy("p", identity(enough))),
		"total+identity": compile(policy("p", total(enough), identity(enough))),
		"override":       compile(policy("p", override(enough, "0"))),
	} {
		b.Run(name, func(b *testing.B) { benchmark(b, l) })
	}
}

// benchmark has each goroutine be a caller; see -cpu 1,2.
func benchmark(b *testing.B, l *ratelimit.Limits) {
	var caller atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		who := id(strconv.FormatInt(caller.Add(1)-1, 10))
		for pb.Next() {
			l.Allow(time.Now(), "", who)
		}
	})
}

func BenchmarkRefuse(b *testing.B) {
	l, caller := compile(policy("p", total(1), identity(1))), id("a")
	b.ReportAllocs()
	for b.Loop() {
		l.Allow(start, "", caller)
	}
}

// BenchmarkNewcomer is the price of a caller that comes when there is no room.
func BenchmarkNewcomer(b *testing.B) {
	l := compile(policy("p", identity(1)))
	for i := range most {
		l.Allow(start, "", strconv.Itoa(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Allow(start, "", "new")
	}
}
