package breaker_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
)

// A model says what must happen to a fleet, the plain way: no atomics, no
// generations, no gobreaker; every request ends before the next begins.
type model struct {
	o     breaker.Outlier
	hosts []modelHost
}

type modelHost struct {
	state                  breaker.State
	gateway, fiveXX, local uint32
	times                  int
	until, back            time.Time
}

func (m *model) request(i int, out breaker.Outcome, now time.Time) string {
	h := &m.hosts[i]
	if h.state != breaker.Closed && now.Before(h.until) {
		return "open"
	}
	if h.state != breaker.Closed {
		h.state = breaker.HalfOpen
		return m.probe(i, out, now)
	}
	if !m.count(h, out) {
		return "nothing"
	}
	forgiven := int(now.Sub(h.back) / m.o.Interval)
	if h.back.IsZero() {
		forgiven = 0
	}
	return m.eject(i, max(0, h.times-forgiven), now)
}

func (m *model) probe(i int, out breaker.Outcome, now time.Time) string {
	gateway := out == breaker.GatewayError || out == breaker.LocalFailure && !m.o.SplitLocalOrigin
	switch {
	case out == breaker.ServerError && m.o.Consecutive5xx > 0,
		gateway && m.o.Consecutive5xx+m.o.ConsecutiveGateway > 0,
		out == breaker.LocalFailure && m.o.SplitLocalOrigin && m.o.ConsecutiveLocalOrigin > 0:
		return m.eject(i, m.hosts[i].times, now)
	case out == breaker.Ignored, out == breaker.LocalFailure:
		return "nothing"
	}
	m.hosts[i] = modelHost{times: m.hosts[i].times, back: now}
	return "readmitted"
}

// count returns whether a detector reached its threshold; its count begins anew.
func (m *model) count(h *modelHost, out breaker.Outcome) bool {
	reached := func(n *uint32, threshold uint32) bool {
		*n++
		if threshold == 0 {
			*n = 0
		}
		if threshold == 0 || *n < threshold {
			return false
		}
		*n = 0
		return true
	}
	switch {
	case out == breaker.Ignored:
		return false
	case out == breaker.Success:
		h.gateway, h.fiveXX, h.local = 0, 0, 0
		return false
	case out == breaker.LocalFailure && m.o.SplitLocalOrigin:
		return reached(&h.local, m.o.ConsecutiveLocalOrigin)
	case out == breaker.ServerError:
		h.local, h.gateway = 0, 0
		return reached(&h.fiveXX, m.o.Consecutive5xx)
	}
	h.local = 0
	a, b := reached(&h.gateway, m.o.ConsecutiveGateway), reached(&h.fiveXX, m.o.Consecutive5xx)
	return a || b
}

func (m *model) eject(i, times int, now time.Time) string {
	out, h := m.out(i), &m.hosts[i]
	room := float64(out+1)/float64(len(m.hosts))*100 <= float64(m.o.MaxEjectionPercent)
	if !room && !(m.o.AlwaysEjectOne && out == 0) {
		if h.state == breaker.HalfOpen {
			*h = modelHost{times: h.times, back: now}
		}
		return "not enforced"
	}
	longest := max(300*time.Second, m.o.BaseEjectionTime)
	n := times
	if time.Duration(times)*m.o.BaseEjectionTime < longest+m.o.BaseEjectionTime { // Envoy's condition
		n++
	}
	lasts := time.Duration(n) * m.o.BaseEjectionTime
	*h = modelHost{state: breaker.Open, times: n, until: now.Add(min(lasts, longest))}
	return fmt.Sprintf("ejected ×%d until %v", n, h.until)
}

// out is how many hosts besides i are not in rotation.
func (m *model) out(i int) int {
	out := 0
	for j := range m.hosts {
		if j != i && m.hosts[j].state != breaker.Closed {
			out++
		}
	}
	return out
}

func TestAFleetBehavesLikeThePlainModel(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := breaker.Outlier{
			Enabled: true, SplitLocalOrigin: r.IntN(2) == 0, AlwaysEjectOne: r.IntN(2) == 0,
			Consecutive5xx: r.Uint32N(4), ConsecutiveGateway: r.Uint32N(3), ConsecutiveLocalOrigin: r.Uint32N(3),
			Interval: time.Duration(1+r.IntN(60)) * time.Second, BaseEjectionTime: time.Duration(1+r.IntN(400)) * time.Second,
			MaxEjectionPercent: 1 + r.IntN(100),
		}
		compare(t, r, o)
	}
}

func compare(t *testing.T, r *rand.Rand, o breaker.Outlier) {
	t.Helper()
	d := breaker.NewDetector(o)
	circuits := make([]*breaker.Circuit, 1+r.IntN(8))
	for i := range circuits {
		circuits[i] = d.NewCircuit()
	}
	m := model{o: o, hosts: make([]modelHost, len(circuits))}
	now := time.Now()
	for range 500 {
		now = now.Add(time.Duration(r.IntN(20)) * time.Second)
		i, out := r.IntN(len(circuits)), breaker.Outcome(r.IntN(5))
		want := m.request(i, out, now)
		if got := request(circuits[i], out, now); got != want {
			t.Fatalf("%+v: host %d, outcome %d: got %s, want %s", o, i, out, got, want)
		}
		if got := circuits[i].State(); got != m.hosts[i].state {
			t.Fatalf("%+v: host %d is %v, want %v", o, i, got, m.hosts[i].state)
		}
		if _, got := d.Hosts(); got != m.out(-1) {
			t.Fatalf("%+v: %d hosts are out, want %d", o, got, m.out(-1))
		}
	}
}

func request(c *breaker.Circuit, out breaker.Outcome, now time.Time) string {
	permit, err := c.Allow(now)
	if err != nil {
		return "open"
	}
	e := c.Report(permit, out, now)
	if e.Kind == breaker.Ejected {
		return fmt.Sprintf("ejected ×%d until %v", e.Times, e.Until)
	}
	return e.Kind.String()
}
