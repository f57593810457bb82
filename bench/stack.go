package main

import (
	"net/http"
	"runtime"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

// A variant is a way to send a request over the canned RoundTripper.
type variant struct {
	name      string
	endpoints int // 0: bare, without a mesh
	objects   int
	policy    string
}

var (
	bare  = variant{name: "bare RoundTripper"}
	plain = variant{"route, subset, P2C over 3, limits, circuits, retry-ready", 3, 2, retryReady}
	timed = variant{"… with a route timeout and a per-try timeout", 3, 2, withTimeouts}
	big   = variant{"… with 10,000 endpoints and 10,000 rule objects", 10_000, 10_000, retryReady}
)

// A stack is a variant that is open.
type stack struct {
	variant
	rt   http.RoundTripper
	mesh *mesh.Mesh // nil: bare
}

func (v variant) open() (stack, error) {
	if v.endpoints == 0 {
		return stack{v, canned{}, nil}, nil
	}
	m, err := newWorld(cannedEndpoints(v.endpoints), v.objects, v.policy).mesh()
	if err != nil {
		return stack{}, err
	}
	return stack{v, m.Transport(canned{}), m}, nil
}

func (s stack) close() {
	if s.mesh != nil {
		_ = s.mesh.Close()
	}
}

// allocations counts those of one request.
func (s stack) allocations() float64 { return testing.AllocsPerRun(1000, get(s.rt)) }

// with opens variants for as long as f runs, one after the other in one heap:
// what is not measured should not be there to be collected.
func with(f func([]stack), variants ...variant) error {
	var open []stack
	for _, v := range variants {
		s, err := v.open()
		if err != nil {
			return err
		}
		defer s.close()
		open = append(open, s)
	}
	f(open)
	return nil
}

// times lets the stacks take turns on one core.
func times(p plan, stacks []stack) (all [][]float64) {
	var contenders []contender
	for _, s := range stacks {
		contenders = append(contenders, each(get(s.rt)))
	}
	onCores(1, func() { all = alternate(p, cpu, contenders...) })
	return all
}

// ballast is a heap such as a service has. In one of next to nothing the collector
// would run every few thousand requests, and be measured above all.
const ballast = 64 << 20

func measureStack(p plan, t *table) error {
	heap := make([]byte, ballast)
	defer runtime.KeepAlive(heap)
	t.section("The whole stack over a canned RoundTripper, one core, beside a heap of 64 MiB")
	if err := with(func(s []stack) { measureSmall(p, t, s) }, bare, plain, timed); err != nil {
		return err
	}
	// A large heap is collected seldom: only long slots hold each its fair share.
	long := plan{p.rounds, 10 * p.slot}
	if err := with(func(s []stack) { measureBig(long, t, s) }, bare, plain, big); err != nil {
		return err
	}
	t.section("… two cores against one")
	return with(func(s []stack) { measureCores(p, t, s) }, bare, plain, timed)
}

func measureSmall(p plan, t *table, s []stack) {
	all := times(p, s)
	t.note(bare.name, figure{best(all[0]), "ns"})
	t.atMost(plain.name, figure{best(all[1]), "ns"}, 300)
	t.atMost(timed.name, figure{best(all[2]), "ns"}, 900)
	none := s[0].allocations()
	t.atMost("allocations beyond bare", figure{s[1].allocations() - none, ""}, 2)
	t.atMost("allocations beyond bare, with timeouts", figure{s[2].allocations() - none, ""}, 6)
}

func measureBig(p plan, t *table, s []stack) {
	all := times(p, s)
	t.note(big.name, figure{best(all[2]), "ns"})
	t.atMost("… against 3 endpoints and 2 objects", figure{median(ratios(all[2], all[1])), "×"}, 1.10)
	t.atMost("allocations beyond bare", figure{s[2].allocations() - s[0].allocations(), ""}, 2)
}

func measureCores(p plan, t *table, stacks []stack) {
	for _, s := range stacks {
		got := scaling(p, func() contender { return each(get(s.rt)) })
		if s.mesh == nil {
			t.note(s.name, got)
		} else {
			t.atLeast(s.name, got, 1.6)
		}
	}
}
