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

// take counts one more unless as many as may be are under way. It adds before it
// compares, for which another core has to give the count away once, not twice.
func (c *counter) take() bool {
	return c.n.Add(1)-1 <= c.most.Load()-1 || c.keep() // no limit, less one, is beyond every count
}

// keep decides about one that was too many when it was counted: it may stay as soon
// as it is not, and goes only while it is. So of several that are counted at once as
// many stay as there is room for, whatever the others do.
func (c *counter) keep() bool {
	for {
		n := c.n.Load()
		if n-1 <= c.most.Load()-1 {
			return true
		}
		if c.n.CompareAndSwap(n, n-1) {
			return false
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
