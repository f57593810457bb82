package balancer

import (
	"time"

	"github.com/inmesh-go/inmesh/discovery"
)

// A Snapshot is a Balancer's state in plain values, for people and their tools.
type Snapshot struct {
	Policy     Policy
	Priorities []PrioritySnapshot
	Hosts      []HostSnapshot // in the order of Balancer.Hosts
}

// A PrioritySnapshot is one priority as of the latest change or Refresh.
type PrioritySnapshot struct {
	Hosts     int     // that belong to it, draining ones not counted
	Available int     // of them, that may be picked outside a panic
	Load      float64 // its part of all traffic, 0 to 1
	Panic     bool    // it ignores health
}

// A HostSnapshot is one host.
type HostSnapshot struct {
	Endpoint  discovery.Endpoint
	Priority  int     // -1: no traffic by a rule of place, or draining
	Share     float64 // expected part of all traffic, 0 to 1, when idle and warm
	Available bool    // what SetAvailable said
	Warming   bool    // below its full weight at the time of the snapshot
	Active    int64   // requests in flight
}

// Snapshot returns the state at now. Counters go on while it is taken. For hash policies Share is
// what the weights promise, not what the keys will make of it.
func (b *Balancer[T]) Snapshot(now time.Time) Snapshot {
	p := b.picture.Load()
	s := Snapshot{Policy: p.cfg.Policy}
	shares := make(map[*member]float64, len(p.hosts))
	for i := range p.levels {
		load := p.spill.portion(i)
		s.Priorities = append(s.Priorities, PrioritySnapshot{
			Hosts: p.tally[i].hosts, Available: p.tally[i].usable, Load: load, Panic: p.levels[i].panics,
		})
		p.levels[i].addShares(shares, load, p.cfg.Policy)
	}
	for _, h := range p.hosts {
		s.Hosts = append(s.Hosts, h.snapshot(shares[&h.member], p.cfg, now))
	}
	return s
}

func (m *member) snapshot(share float64, cfg Config, now time.Time) HostSnapshot {
	priority := m.Priority()
	if m.has(unplaced) {
		priority = -1
	}
	return HostSnapshot{
		Endpoint:  m.Endpoint(),
		Priority:  priority,
		Share:     share,
		Available: m.Available(),
		Warming:   cfg.Policy.warms() && now.UnixNano() < m.joined.Load()+int64(cfg.Warmup.Duration),
		Active:    m.Active(),
	}
}

// addShares splits load between the groups by their shares, and within a group by weight.
func (l *level[T]) addShares(shares map[*member]float64, load float64, policy Policy) {
	total := 0.0
	for _, g := range l.groups {
		total += g.share
	}
	for _, g := range l.groups {
		sum := 0.0
		for i := range g.hosts {
			sum += g.weight(i, l.deny, policy)
		}
		for i, h := range g.hosts {
			if sum > 0 && total > 0 {
				shares[&h.member] += load * g.share / total * g.weight(i, l.deny, policy) / sum
			}
		}
	}
}

// weight is what host i of the group counts for: nothing while it may not be picked, which in a
// group of a hash policy some may not.
func (g *group[T]) weight(i int, deny uint32, policy Policy) float64 {
	switch {
	case g.hosts[i].has(deny):
		return 0
	case policy == Random || g.weights == nil:
		return 1
	}
	return g.weights[i]
}
