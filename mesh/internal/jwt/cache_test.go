package jwt

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCacheForgetsTheLeastRecentlyUsed: compared with a slice in order of use.
func TestCacheForgetsTheLeastRecentlyUsed(t *testing.T) {
	c := newCache()
	verdicts := make([]*verdict, maxVerified+100)
	var recent []int // the most recently used last
	touch := func(n int) {
		recent = slices.DeleteFunc(recent, func(m int) bool { return m == n })
		recent = append(recent, n)
		recent = recent[max(0, len(recent)-maxVerified):]
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 10 * maxVerified {
		n := r.IntN(len(verdicts))
		hash := hashOf(string(rune(n)))
		known := slices.Contains(recent, n)
		if got := c.get(hash); known != (got != nil) || known && got != verdicts[n] {
			t.Fatalf("token %d: known %v, got %v", n, known, got)
		}
		if !known || r.IntN(10) == 0 {
			verdicts[n] = &verdict{}
			c.put(hash, verdicts[n])
		}
		touch(n)
	}
	if len(c.entries) != maxVerified || c.order.Len() != maxVerified {
		t.Errorf("%d and %d entries, want %d", len(c.entries), c.order.Len(), maxVerified)
	}
}
