package balancer

const (
	// overprovisioning: "100% of traffic goes to P=0 until its health falls below 72 %", Envoy,
	// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority
	overprovisioning = 140
	fullHealth       = 100
)

// A spill splits the traffic between priorities. Each takes its share of what the ones before it
// have left of limit; what is left when all are served is spread over them in proportion, which
// is Envoy's normalisation without its rounding.
type spill struct {
	shares []uint64
	limit  uint64
}

func newSpill(tallies []tally) *spill {
	s := &spill{limit: fullHealth}
	for _, t := range tallies {
		s.shares = append(s.shares, health(t))
	}
	return s
}

// health is how much of all traffic a priority can take, in percent.
func health(t tally) uint64 {
	if t.hosts == 0 {
		return 0
	}
	return min(fullHealth, uint64(overprovisioning*t.usable/t.hosts))
}

// total is what the priorities that are not in skip can take together; skip is a bit set.
func (s *spill) total(skip uint64) uint64 {
	sum := uint64(0)
	for i, share := range s.shares {
		if !skipped(skip, i) {
			sum += share
		}
	}
	return min(sum, s.limit)
}

func skipped(skip uint64, priority int) bool { return priority < 64 && skip>>priority&1 != 0 }

// choose returns the priority for r, any number (equal ones get equal priorities), or -1 when no
// priority can take anything. A skip that leaves nothing is ignored.
func (s *spill) choose(r, skip uint64) int {
	if len(s.shares) == 1 && s.shares[0] > 0 {
		return 0
	}
	total := s.total(skip)
	if total == 0 {
		if skip == 0 {
			return -1
		}
		return s.choose(r, 0)
	}
	r %= total
	for i, share := range s.shares {
		if skipped(skip, i) {
			continue
		}
		if r < share {
			return i
		}
		r -= share
	}
	return -1
}

// portion is the part of all traffic, 0 to 1, that goes to one priority.
func (s *spill) portion(priority int) float64 {
	total := s.total(0)
	if total == 0 {
		return 0
	}
	before := uint64(0)
	for _, share := range s.shares[:priority] {
		before += share
	}
	left := total - min(before, total)
	return float64(min(s.shares[priority], left)) / float64(total)
}
