package breaker

import (
	"math"
	"sync/atomic"
)

// A counter counts what is under way, up to a limit. Both are in one word's space,
// so that whoever counts has at hand what he compares with.
type counter struct {
	n    atomic.Uint32
	most atomic.Uint32 // 0: no limit
}

// take counts one more unless as many as may be are under way. It compares before
// it adds: adding first and taking back would refuse others in between although
// there is room.
func (c *counter) take() bool {
	for {
		n := c.n.Load()
		if n > c.most.Load()-1 { // no limit, less one, is beyond every count
			return false
		}
		if c.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// refusal is the error for one that take has refused.
func (c *counter) refusal(limit string) error {
	return &OverflowError{Limit: limit, Max: c.most.Load()}
}

func (c *counter) release() {
	if c.n.Add(math.MaxUint32) == math.MaxUint32 { // one less than none
		panic("breaker: released more often than acquired")
	}
}

func (c *counter) load() int { return int(c.n.Load()) }
