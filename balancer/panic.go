package balancer

// A tally counts the hosts of one priority.
type tally struct{ hosts, usable int }

// panics returns which priorities ignore health: those with less than threshold percent healthy
// hosts, while all priorities together cannot take all traffic. From Envoy:
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/panic_threshold
//
// The second condition is Envoy's too: as long as others (or the over-provisioning of 140 %) take
// over what the unhealthy hosts cannot, there is no reason to send anything to those. A single
// priority therefore does not panic while 72 % of it are healthy, whatever the threshold.
func panics(threshold int, tallies []tally) []bool {
	flags := make([]bool, len(tallies))
	if threshold == 0 || newSpill(tallies).total(0) == fullHealth {
		return flags
	}
	for i, t := range tallies {
		flags[i] = 100*t.usable < threshold*t.hosts
	}
	return flags
}

// panicSpill splits the traffic when every priority panics: by the number of hosts.
func panicSpill(tallies []tally) *spill {
	s := &spill{}
	for _, t := range tallies {
		s.shares = append(s.shares, uint64(t.hosts))
		s.limit += uint64(t.hosts)
	}
	return s
}

// Panicking reports whether h's priority ignores health at the moment, so that a pick may return
// it although it is not available.
func (b *Balancer[T]) Panicking(h *Host[T]) bool {
	levels := b.picture.Load().levels
	p := h.Priority()
	return !h.has(unplaced) && p < len(levels) && levels[p].panics
}
