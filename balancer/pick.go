package balancer

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"time"
)

// A Pick is one question: who should take this request? The zero Pick asks for any host.
type Pick[T any] struct {
	// Hash is the request's key for RingHash and Maglev, by Hash; it counts if HasHash. Without a key
	// these policies pick at random.
	Hash    uint64
	HasHash bool
	// Tried are the hosts that earlier attempts went to. Up to five of them are refused, where
	// there is any other; then what is picked is taken. Empty: none.
	Tried []*Host[T]
	// SkipPriorities is a set of priorities to do without, bit n for priority n, for as long as
	// others can take the request. Priorities from 64 on cannot be skipped. Zero: none.
	SkipPriorities uint64
	// Now is the time, looked at while hosts warm up, and by PeakEWMA. Zero: unknown, so that hosts count
	// as warm and old latencies do not fade.
	Now time.Time
	// Random is what is picked by where the caller has 64 random bits to spare, which need not be
	// hard to guess. Zero: the balancer draws some.
	Random uint64
}

const (
	// maxRefusals is Envoy's host_selection_retry_max_attempts as Istio sets it.
	maxRefusals = 5
	// maxSteps bounds how often choosers are asked in one pick.
	maxSteps = 32
)

// Pick returns the host for p, or nil when no host may be picked. It takes no lock and allocates
// nothing.
//
// A host that is not available, or that its source calls unhealthy or draining, is not returned
// but in a panic; one that drains not even then. That is asked of the host itself, so it holds
// from the moment of SetAvailable.
func (b *Balancer[T]) Pick(p Pick[T]) *Host[T] {
	pic := b.picture.Load()
	a := ask{at: p.Random}
	switch {
	case p.HasHash && pic.hashes:
		a.at = p.Hash
	case a.at == 0 && pic.draws:
		a.at = rand.Uint64()
	}
	if pic.clock && !p.Now.IsZero() {
		a.now = p.Now.UnixNano()
	}
	if g := pic.only; g != nil && len(p.Tried) == 0 {
		i, _ := g.choose(a)
		if h := g.hosts[i]; !h.has(g.deny) {
			return h
		}
	}
	return pic.pick(a, p)
}

// Any is Pick for a request that says nothing of itself, by 64 random bits, where that
// is all there is to ask: with one priority and one place, and hosts that neither
// warm up nor are compared by the time that they take. Otherwise, and when the host
// chosen may not be picked any more, it returns nil, and Pick finds one.
func (b *Balancer[T]) Any(random uint64) *Host[T] {
	pic := b.picture.Load()
	g := pic.only
	if g == nil || pic.clock {
		return nil
	}
	i, _ := g.choose(ask{at: random})
	if h := g.hosts[i]; !h.has(g.deny) {
		return h
	}
	return nil
}

// pick is the long way: there is a choice of priorities or of places, or of a host's instead.
func (pic *picture[T]) pick(a ask, p Pick[T]) *Host[T] {
	chosen := pic.spill.choose(a.at, p.SkipPriorities)
	if chosen < 0 {
		return nil
	}
	if h := pic.levels[chosen].pick(a, p.Tried); h != nil {
		return h
	}
	return pic.rest(a, p.Tried)
}

// rest looks at all priorities in order: the chosen one has lost its last host since the picture
// was painted.
func (pic *picture[T]) rest(a ask, tried []*Host[T]) *Host[T] {
	for i := range pic.levels {
		if h := pic.levels[i].pick(a, tried); h != nil {
			return h
		}
	}
	return nil
}

// pick asks the choosers until one names a host that is usable and not tried. To meet a refused
// host again is not another refusal: neighbours on a ring are often the same two hosts.
func (l *level[T]) pick(a ask, tried []*Host[T]) *Host[T] {
	refused := uint64(0) // bit set of indices into tried
	for range maxSteps {
		g := l.group()
		if g == nil {
			return nil
		}
		var i int
		i, a.at = g.choose(a)
		a.again = true
		h := g.hosts[i]
		if h.has(l.deny) {
			continue
		}
		t := slices.Index(tried, h)
		if t < 0 || refused>>t&1 == 0 && bits.OnesCount64(refused) == maxRefusals {
			return h
		}
		refused |= 1 << t
	}
	if h := l.scan(a.at, tried); h != nil {
		return h
	}
	return l.scan(a.at, nil)
}

func (l *level[T]) group() *group[T] {
	switch {
	case l.odds != nil:
		return &l.groups[l.odds.draw(rand.Uint64())]
	case len(l.groups) == 1:
		return &l.groups[0]
	}
	return nil
}

// scan is the last resort where nearly all hosts have become unavailable or have been tried: from
// a place that depends on the key, one after the other.
func (l *level[T]) scan(at uint64, tried []*Host[T]) *Host[T] {
	for i := range l.groups {
		hosts := l.groups[i].hosts
		from := int(at % uint64(len(hosts)))
		for k := range hosts {
			if h := hosts[(from+k)%len(hosts)]; !h.has(l.deny) && !slices.Contains(tried, h) {
				return h
			}
		}
	}
	return nil
}
