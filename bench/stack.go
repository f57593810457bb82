package main

import (
	"errors"
	"net/http"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

// A stack is a RoundTripper over the canned one, and what it is called.
type stack struct {
	name string
	rt   http.RoundTripper
	mesh *mesh.Mesh // nil: bare
}

// stacks are the whole mesh in its variants, bare first.
type stacks []stack

const (
	bare = iota
	plain
	timed
	big
)

func newStacks() (stacks, error) {
	all := stacks{{name: "bare RoundTripper", rt: canned{}}}
	for _, v := range []struct {
		name  string
		world world
	}{
		{"route, subset, P2C over 3, limits, circuits, retry-ready", newWorld(cannedEndpoints(3), 2, retryReady)},
		{"… with a route timeout and a per-try timeout", newWorld(cannedEndpoints(3), 2, withTimeouts)},
		{"… with 10,000 endpoints and 10,000 rule objects", newWorld(cannedEndpoints(10_000), 10_000, retryReady)},
	} {
		m, err := v.world.mesh()
		if err != nil {
			return nil, errors.Join(err, all.close())
		}
		all = append(all, stack{v.name, m.Transport(canned{}), m})
	}
	return all, nil
}

func (all stacks) close() error {
	for _, s := range all {
		if s.mesh != nil {
			_ = s.mesh.Close()
		}
	}
	return nil
}

// allocations counts those of one request.
func (s stack) allocations() float64 { return testing.AllocsPerRun(1000, get(s.rt)) }

func measureStack(p plan, t *table) error {
	all, err := newStacks()
	if err != nil {
		return err
	}
	defer all.close()
	t.section("The whole stack over a canned RoundTripper, one core")
	onCores(1, func() { measureTimes(p, t, all) })
	t.section("… two cores against one")
	measureCores(p, t, all)
	return nil
}

func measureTimes(p plan, t *table, all stacks) {
	var contenders []contender
	for _, s := range all {
		contenders = append(contenders, each(get(s.rt)))
	}
	times := alternate(p, contenders...)
	t.note(all[bare].name, figure{median(times[bare]), "ns"})
	t.atMost(all[plain].name, figure{median(times[plain]), "ns"}, 300)
	t.atMost(all[timed].name, figure{median(times[timed]), "ns"}, 900)
	t.note(all[big].name, figure{median(times[big]), "ns"})
	t.atMost("… the same against 3 endpoints and 2 objects", figure{median(ratios(times[big], times[plain])), "×"}, 1.10)
	none := all[bare].allocations()
	t.note("allocations, bare", figure{none, ""})
	t.atMost("allocations beyond bare", figure{all[plain].allocations() - none, ""}, 2)
	t.atMost("allocations beyond bare, with timeouts", figure{all[timed].allocations() - none, ""}, 6)
	t.atMost("allocations beyond bare, with 10,000 of each", figure{all[big].allocations() - none, ""}, 2)
}

func measureCores(p plan, t *table, all stacks) {
	for _, s := range all[:big] {
		var one, two contender
		one = parallel(1, func() contender { return each(get(s.rt)) })
		two = parallel(2, func() contender { return each(get(s.rt)) })
		var times [][]float64
		onCores(2, func() { times = alternate(p, one, two) })
		got := figure{median(ratios(times[0], times[1])), "×"}
		if s.mesh == nil {
			t.note(s.name, got)
		} else {
			t.atLeast(s.name, got, 1.6)
		}
	}
}
