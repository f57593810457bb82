package main

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

// A variant is a way to send a request over the canned RoundTripper.
type variant struct {
	name      string
	endpoints int // 0: bare, without a mesh
	objects   int
	policy    string
	audience  audience
}

var (
	bare    = variant{name: "bare RoundTripper"}
	plain   = variant{"route, subset, P2C over 3, limits, circuits, retry-ready", 3, 2, retryReady, nobody}
	told    = variant{"… with metrics through an SDK's reader, unsampled traces", 3, 2, retryReady, byAnSDK}
	ruled   = variant{"… with the same, unsampled by a Telemetry resource", 3, 2, retryReady, byAnSDKAndRules}
	unheard = variant{"… with telemetry that nobody listens to, as by default", 3, 2, retryReady, byDefault}
	timed   = variant{"… with a route timeout and a per-try timeout", 3, 2, withTimeouts, nobody}
	big     = variant{"… with 10,000 endpoints and 10,000 rule objects", 10_000, 10_000, retryReady, nobody}
)

// byHand is the round robin that the budgets are also expressed in. They were set on a
// machine on which it took so many nanoseconds; on another one, or on the same in
// another hour, all of them take longer alike.
const byHandThen = 174

func byHand() stack { return peer("round robin over 3, by hand", robin(canned{})) }

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
	w := newWorld(cannedEndpoints(v.endpoints), v.objects, v.policy)
	w.audience = v.audience
	m, err := w.mesh()
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

func measureStack(p plan, t *table) error {
	t.section("The whole stack over a canned RoundTripper, one core")
	if err := with(func(s []stack) { measureSmall(p, t, s) }, bare, plain, told, ruled, timed); err != nil {
		return err
	}
	// A large heap is collected seldom: only long slots hold each its fair share.
	long := plan{p.rounds, 10 * p.slot}
	if err := with(func(s []stack) { measureBig(long, t, s) }, bare, plain, big); err != nil {
		return err
	}
	return measureCores(p, t)
}

// measureSmall holds times to their budgets as ratios to what a few lines by hand
// take in the same minute: that says the same on every machine.
func measureSmall(p plan, t *table, s []stack) {
	all := times(p, append(s, byHand()))
	hand := best(all[len(s)])
	t.note(s[0].name, figure{best(all[0]), "ns"})
	t.note("round robin over 3, by hand", figure{hand, "ns"})
	none := s[0].allocations()
	for i, budget := range []struct{ ns, allocations float64 }{{300, 2}, {650, 4}, {650, 4}, {900, 6}} {
		got := best(all[i+1])
		t.target(s[i+1].name, figure{got, "ns"}, budget.ns)
		t.atMost(fmt.Sprintf("… against that by hand, of which %.0f ns were %d", budget.ns, byHandThen), figure{got / hand, "×"}, budget.ns/byHandThen)
		t.atMost("… allocations beyond bare", figure{s[i+1].allocations() - none, ""}, budget.allocations)
	}
}

func measureBig(p plan, t *table, s []stack) {
	all := times(p, s)
	t.note(big.name, figure{best(all[2]), "ns"})
	t.atMost("… against 3 endpoints and 2 objects", figure{median(ratios(all[2], all[1])), "×"}, 1.10)
	t.atMost("allocations beyond bare", figure{s[2].allocations() - s[0].allocations(), ""}, 2)
}

// measureCores: how far two cores go is the machine's to say as well, as bare shows. What
// is the mesh's shows beside two callers each of whom has a mesh of its own.
func measureCores(p plan, t *table) error {
	t.section("… two cores against one")
	t.note(bare.name, scaling(p, func() contender { return each(get(canned{})) }))
	for _, v := range []variant{plain, timed} {
		if err := with(func(s []stack) { measureSharing(p, t, s) }, v, v); err != nil {
			return err
		}
	}
	return nil
}

// measureSharing has two callers share the first mesh, and then have one each.
func measureSharing(p plan, t *table, meshes []stack) {
	shared := func() contender { return each(get(meshes[0].rt)) }
	t.target(meshes[0].name, scaling(p, shared), 1.6)
	next := 0
	apart := func() contender {
		next++
		return each(get(meshes[next%len(meshes)].rt))
	}
	var all [][]float64
	onCores(2, func() { all = alternate(p, cpu, parallel(2, apart), parallel(2, shared)) })
	t.atLeast("… against two meshes, which share nothing", figure{median(ratios(all[0], all[1])), "×"}, 0.9)
}
