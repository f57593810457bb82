package balancer

import (
	"math"
	"time"
)

// peakEWMA takes the cheaper of two hosts drawn at random, where a host's cost is its latency
// times the requests it would have in flight. The latency is a moving average that jumps up to
// every peak at once and comes down slowly. From Finagle:
// https://github.com/twitter/finagle/blob/develop/finagle-core/src/main/scala/com/twitter/finagle/loadbalancer/PeakEwma.scala
//
// Weights decide how often a host is drawn, not how it compares: a fast host is no cheaper for
// being heavy.
type peakEWMA struct{ pair }

const (
	// decayTime is how long a peak takes to fade to 37 %; Finagle's default.
	decayTime = 10 * time.Second
	// failureCeiling bounds what failures alone can make a host cost.
	failureCeiling = float64(10 * time.Second)
	// unknownCost is that of a host that has not answered yet but is asked already: beyond all
	// that answer, so that a newcomer is tried with one request and not with a flood.
	unknownCost = float64(time.Hour)
	// stragglers, in ticks, is how late an answer may be reported after a younger one: a minute.
	stragglers = 1 << 16
)

func (p *peakEWMA) choose(a ask) (int, uint64) {
	r := a.number()
	i, j := p.two(r, a)
	if i != j && p.members[j].expense(a.now) < p.members[i].expense(a.now) {
		return j, r
	}
	return i, r
}

// expense is what one more request to m would cost.
func (m *member) expense(now int64) float64 {
	active := float64(m.active.Load())
	cost := estimate(m.cost.Load()).decayed(now)
	if cost == 0 && active > 0 {
		return unknownCost * active
	}
	return cost * (active + 1)
}

// An estimate is a latency and when it was learnt, in one word, so that no reader sees the
// halves of two: nanoseconds as a float32, and a clock of 2^20 ns that turns over in 52 days.
type estimate uint64

func newEstimate(cost float64, now int64) estimate {
	return estimate(math.Float32bits(float32(cost)))<<32 | estimate(tick(now))
}

func tick(now int64) uint32 { return uint32(now >> 20) }

func (e estimate) cost() float64 { return float64(math.Float32frombits(uint32(e >> 32))) }

// fade is how much of the estimate is left at now: all of it within a tick, and none where the
// clock has stepped back or turned over, which is how an estimate from the future ends.
func (e estimate) fade(now int64) float64 {
	elapsed := int32(tick(now) - uint32(e))
	switch {
	case now == 0 || elapsed <= 0 && elapsed > -stragglers:
		return 1
	case elapsed < 0:
		return 0
	}
	x := float64(elapsed) * ((1 << 20) / float64(decayTime))
	// e^-x, within 2 % up to x = 1 and fading slower after that: two exponentials would cost more
	// than the rest of a pick.
	return 1 / (1 + x*(1+x*(1./2+x/6)))
}

// decayed lets an old peak fade although nobody asks the host, so that it is asked again.
func (e estimate) decayed(now int64) float64 {
	if e == 0 {
		return 0
	}
	return e.cost() * e.fade(now)
}

// learn feeds the answer to one request. A failure counts as an answer that took at least twice
// what the host costs: a host that fails fast must not look like a fast host.
func (m *member) learn(rtt time.Duration, ok bool, now int64) {
	for {
		old := m.cost.Load()
		if m.cost.CompareAndSwap(old, uint64(estimate(old).after(float64(rtt), ok, now))) {
			return
		}
	}
}

// learnPeak feeds an answer that did not come in so long.
func (m *member) learnPeak(waited time.Duration, now int64) {
	for {
		old := m.cost.Load()
		if float64(waited) <= estimate(old).decayed(now) || m.cost.CompareAndSwap(old, uint64(newEstimate(float64(waited), now))) {
			return
		}
	}
}

func (e estimate) after(rtt float64, ok bool, now int64) estimate {
	cost := e.cost()
	if !ok {
		rtt = max(rtt, min(2*cost+float64(time.Millisecond), failureCeiling))
	}
	if rtt >= cost {
		return newEstimate(rtt, now)
	}
	fade := e.fade(now)
	if fade == 1 {
		return e // within a tick: the stamp must not move on before anything has faded
	}
	return newEstimate(cost*fade+rtt*(1-fade), now)
}
