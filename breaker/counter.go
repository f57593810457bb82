package breaker

import "sync/atomic"

// A counter counts what is under way.
type counter struct{ n atomic.Int64 }

// acquire counts one more, or says that limit refuses it.
func (c *counter) acquire(limit string, most uint32) error {
	if c.take(most) {
		return nil
	}
	return &OverflowError{Limit: limit, Max: most}
}

// take counts one more unless most are under way; 0 means no limit. With a
// limit it compares before it adds: adding first and taking back would refuse
// others in between although there is room.
func (c *counter) take(most uint32) bool {
	if most == 0 {
		c.n.Add(1)
		return true
	}
	for {
		n := c.n.Load()
		if n >= int64(most) {
			return false
		}
		if c.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (c *counter) release() {
	if c.n.Add(-1) < 0 {
		panic("breaker: released more often than acquired")
	}
}

func (c *counter) load() int { return int(c.n.Load()) }
