package balancer

// An alias draws an index in proportion to weights in constant time: Walker's method in Vose's
// form (https://www.keithschwarz.com/darts-dice-coins/). Each column keeps a part of its own
// index and gives the rest to one other.
type alias struct {
	columns []column
}

type column struct {
	keep  uint32 // of 2^32: how much of the column is its own
	other uint32
}

// newAlias needs at least one weight and a positive sum.
func newAlias(weights []float64) *alias {
	scaled := scaleToMean(weights)
	a := &alias{columns: make([]column, len(weights))}
	small, large := split(scaled)
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		a.columns[s] = column{keep: uint32(scaled[s] * (1 << 32)), other: uint32(l)}
		scaled[l] -= 1 - scaled[s]
		if scaled[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) { // full, up to rounding
		a.columns[i] = column{other: uint32(i)}
	}
	return a
}

// scaleToMean divides by the mean, so that a column of average weight is exactly full.
func scaleToMean(weights []float64) []float64 {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	scaled := make([]float64, len(weights))
	for i, w := range weights {
		scaled[i] = w * float64(len(weights)) / sum
	}
	return scaled
}

func split(scaled []float64) (small, large []int) {
	for i, s := range scaled {
		if s < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	return small, large
}

// draw spends one random number: its upper half on the column, its lower half within it.
func (a *alias) draw(r uint64) int {
	i := oneOf(len(a.columns), r)
	if c := a.columns[i]; uint32(r) >= c.keep {
		return int(c.other)
	}
	return i
}

// below maps a random r to [0, n) without a division (Lemire, https://arxiv.org/abs/1805.10941).
// The bias, n in 2^32, is beneath notice.
func below(r uint32, n int) int { return int(uint64(r) * uint64(n) >> 32) }

// remix makes another number of a random one: the finalizer of SplitMix64
// (https://prng.di.unimi.it/splitmix64.c).
func remix(r uint64) uint64 {
	r += 0x9E3779B97F4A7C15
	r = (r ^ r>>30) * 0xBF58476D1CE4E5B9
	r = (r ^ r>>27) * 0x94D049BB133111EB
	return r ^ r>>31
}
