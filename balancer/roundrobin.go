package balancer

// roundRobin takes the hosts one after the other; where weights differ, as often as their
// weights say and as evenly spread as they allow.
type roundRobin struct {
	candidates
	sequence []uint32 // nil: 0, 1, 2, … for equal weights
	turn     *rotation
}

func newRoundRobin(c candidates, turn *rotation) *roundRobin {
	return &roundRobin{candidates: c, sequence: smoothSequence(c.weights), turn: turn}
}

func (r *roundRobin) choose(a ask) (int, uint64) {
	i := r.next()
	if r.warm != nil {
		i = r.warmEnough(i, a.now)
	}
	return i, 0
}

// warmEnough passes over warming hosts as often as they lack weight, from i on.
func (r *roundRobin) warmEnough(i int, now int64) int {
	for n := 0; n < maxRejections && !r.warm.admits(r.members[i], now); n++ {
		i = r.next()
	}
	return i
}

func (r *roundRobin) next() int {
	turn := r.turn.next()
	if r.sequence == nil {
		return int(turn % uint64(len(r.members)))
	}
	return int(r.sequence[turn%uint64(len(r.sequence))])
}

// Slots in a sequence: all that the weights need, up to the larger of these.
const (
	maxSlots        = 4096
	maxSlotsPerHost = 16
)

// smoothSequence lays out one round: host i in as many slots as its weight, at even distances,
// each host starting at another offset so that hosts of equal weight do not queue up behind one
// another. Weights that need too many slots (1000 and 999: 1999 are fine) are rounded to what
// fits, never to nothing. nil for equal weights.
func smoothSequence(weights []float64) []uint32 {
	if weights == nil {
		return nil
	}
	counts, total := slotCounts(weights)
	starts := make([]uint32, total+1)
	eachSlot(counts, total, func(slot int, _ uint32) { starts[slot+1]++ })
	for slot := range total {
		starts[slot+1] += starts[slot]
	}
	sequence := make([]uint32, total)
	eachSlot(counts, total, func(slot int, host uint32) {
		sequence[starts[slot]] = host
		starts[slot]++
	})
	return sequence
}

// eachSlot calls yield with the place, in whole slots, of every turn of every host.
func eachSlot(counts []uint64, total int, yield func(slot int, host uint32)) {
	offset := uint64(0)
	for host, n := range counts {
		offset += 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio: the most even offsets
		start := float64(offset) / (1 << 64)
		for k := range n {
			slot := int((float64(k) + start) * float64(total) / float64(n))
			yield(min(slot, total-1), uint32(host))
		}
	}
}

// slotCounts divides the weights by their greatest common divisor and, where that is still too
// much, scales them down.
func slotCounts(weights []float64) (counts []uint64, total int) {
	divisor, sum := uint64(0), 0.0
	for _, w := range weights {
		divisor, sum = gcd(uint64(w), divisor), sum+w
	}
	scale := 1 / float64(divisor)
	if limit := float64(max(maxSlots, maxSlotsPerHost*len(weights))); sum*scale > limit {
		scale = limit / sum
	}
	counts = make([]uint64, len(weights))
	for i, w := range weights {
		counts[i] = max(1, uint64(w*scale+0.5))
		total += int(counts[i])
	}
	return counts, total
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
