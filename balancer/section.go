package balancer

import (
	"slices"

	"github.com/inmesh-go/inmesh/discovery"
)

// A section is a set of hosts among which one chooser chooses: those of one priority, or of one
// place within a priority. It changes with the endpoints and the Config, not with who is
// available.
type section[T any] struct {
	share   float64 // of its priority's traffic, relative to the other sections
	hosts   []*Host[T]
	members []*member // of hosts
	weights []float64 // nil: all equal
	table   chooser   // ring or table of a hash policy, else nil
	turn    *rotation // of RoundRobin, else nil
}

// arrange lays out the sections of each priority. It reuses what it can of old: a ring whose
// hosts have not changed, the place where a rotation has got to.
func arrange[T any](cfg Config, hosts []*Host[T], old [][]*section[T]) [][]*section[T] {
	levels := layOut(cfg.Locality, hosts)
	for p, level := range levels {
		if cfg.Policy.hashes() {
			levels[p] = []*section[T]{join(level)}
		}
		for i, s := range levels[p] {
			s.weights = unlessEqual(s.weights)
			var before *section[T]
			if p < len(old) && i < len(old[p]) {
				before = old[p][i]
			}
			s.equip(cfg, before)
		}
	}
	return levels
}

// layOut ranks the hosts and puts them into sections. A draining host belongs to none: it neither
// gets traffic nor counts as a sick member of its priority.
func layOut[T any](l Locality, hosts []*Host[T]) [][]*section[T] {
	hosts = without(hosts, func(h *Host[T]) bool { return h.has(draining) })
	shares, fixed := l.shares(placeWeights(l, hosts))
	if fixed {
		hosts = without(hosts, func(h *Host[T]) bool { return shares[h.place()] == 0 })
	}
	priorities, levels := prioritise(l, hosts)
	sections := make([][]*section[T], levels)
	index := make(map[spot]*section[T])
	for i, h := range hosts {
		at := spot{priority: priorities[i]}
		if l.weighted() {
			at.place = h.place()
		}
		s := index[at]
		if s == nil {
			s = &section[T]{share: shares[at.place]}
			index[at], sections[at.priority] = s, append(sections[at.priority], s)
		}
		h.settle(at.priority)
		s.add(h, fixed)
	}
	return sections
}

// A spot is what the hosts of one section have in common.
type spot struct {
	priority int
	place    discovery.Locality
}

// without returns the hosts that are not left out, and marks the others.
func without[T any](hosts []*Host[T], out func(*Host[T]) bool) []*Host[T] {
	return slices.DeleteFunc(slices.Clone(hosts), func(h *Host[T]) bool {
		if !out(h) {
			return false
		}
		h.mark(unplaced, true)
		return true
	})
}

func (m *member) settle(priority int) {
	m.priority.Store(int32(priority))
	m.mark(unplaced, false)
}

func (m *member) place() discovery.Locality { return m.endpoint.Load().Locality }

// placeWeights sums the weights by place, for Distribute only.
func placeWeights[T any](l Locality, hosts []*Host[T]) map[discovery.Locality]float64 {
	weights := make(map[discovery.Locality]float64)
	if len(l.Distribute) == 0 {
		return weights
	}
	for _, h := range hosts {
		ep := h.endpoint.Load()
		weights[ep.Locality] += float64(ep.EffectiveWeight())
	}
	return weights
}

func prioritise[T any](l Locality, hosts []*Host[T]) (priorities []int, levels int) {
	r := newRanker(l)
	priorities = make([]int, len(hosts))
	for i, h := range hosts {
		priorities[i] = r.rank(h.endpoint.Load())
	}
	return priorities, compact(priorities)
}

// add puts h into the section. A share that is not fixed by a rule is the sum of the weights.
func (s *section[T]) add(h *Host[T], fixed bool) {
	weight := float64(h.endpoint.Load().EffectiveWeight())
	s.hosts, s.members, s.weights = append(s.hosts, h), append(s.members, &h.member), append(s.weights, weight)
	if !fixed {
		s.share += weight
	}
}

// join makes one section of a priority's: a key has its place on one ring. The shares of the
// sections live on in the weights, as in Envoy.
func join[T any](level []*section[T]) *section[T] {
	if len(level) == 1 {
		return level[0]
	}
	all := &section[T]{share: 1}
	for _, s := range level {
		sum := 0.0
		for _, w := range s.weights {
			sum += w
		}
		for _, w := range s.weights {
			all.weights = append(all.weights, w*s.share/sum)
		}
		all.hosts, all.members = append(all.hosts, s.hosts...), append(all.members, s.members...)
	}
	return all
}

// unlessEqual returns nil for equal weights, which the choosers take for granted.
func unlessEqual(weights []float64) []float64 {
	for _, w := range weights {
		if w != weights[0] {
			return weights
		}
	}
	return nil
}

// equip gives the section what outlives comings and goings among its available hosts.
func (s *section[T]) equip(cfg Config, before *section[T]) {
	switch {
	case cfg.Policy == RoundRobin && before != nil && before.turn != nil:
		s.turn = before.turn
	case cfg.Policy == RoundRobin:
		s.turn = newRotation()
	case cfg.Policy == RingHash:
		s.table = ringFor(cfg, s, before)
	case cfg.Policy == Maglev:
		s.table = maglevFor(cfg, s, before)
	}
}

func ringFor[T any](cfg Config, s, before *section[T]) chooser {
	if before != nil {
		if r, ok := before.table.(*ring); ok && r.minimum == cfg.MinimumRingSize && s.equals(before) {
			return r
		}
	}
	return newRing(candidates{members: s.members, weights: s.weights}, cfg.MinimumRingSize)
}

func maglevFor[T any](cfg Config, s, before *section[T]) chooser {
	if before != nil {
		if t, ok := before.table.(maglev); ok && uint64(len(t)) == cfg.TableSize && s.equals(before) {
			return t
		}
	}
	return newMaglev(candidates{members: s.members, weights: s.weights}, cfg.TableSize)
}

func (s *section[T]) equals(t *section[T]) bool {
	return slices.Equal(s.hosts, t.hosts) && slices.Equal(s.weights, t.weights)
}

// candidates returns the hosts that have none of the denied bits now.
func (s *section[T]) candidates(deny uint32) ([]*Host[T], candidates) {
	if s.count(deny) == len(s.hosts) {
		return s.hosts, candidates{members: s.members, weights: s.weights, deny: deny}
	}
	var hosts []*Host[T]
	c := candidates{deny: deny}
	for i, h := range s.hosts {
		if h.has(deny) {
			continue
		}
		hosts, c.members = append(hosts, h), append(c.members, &h.member)
		if s.weights != nil {
			c.weights = append(c.weights, s.weights[i])
		}
	}
	c.weights = unlessEqual(c.weights)
	return hosts, c
}

// count counts the hosts without any of the denied bits.
func (s *section[T]) count(deny uint32) (n int) {
	for _, m := range s.members {
		if !m.has(deny) {
			n++
		}
	}
	return n
}
