package retry

import "math/bits"

// A StatusSet is a set of HTTP status codes from 0 to 511, the highest that is
// registered. It is comparable; the zero StatusSet is empty.
type StatusSet [8]uint64

// add puts code in the set. ParseOn lets through only codes that fit.
func (s *StatusSet) add(code int) { s[code/64] |= 1 << (code % 64) }

// Has reports whether code is in the set; for a code out of range it is not.
func (s *StatusSet) Has(code int) bool {
	word := uint(code) / 64
	return word < uint(len(s)) && s[word]&(1<<(uint(code)%64)) != 0
}

// Codes lists the set in ascending order.
func (s StatusSet) Codes() []int {
	var codes []int
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			codes = append(codes, i*64+bits.TrailingZeros64(word))
		}
	}
	return codes
}

func (s StatusSet) union(other StatusSet) StatusSet {
	for i, word := range other {
		s[i] |= word
	}
	return s
}
