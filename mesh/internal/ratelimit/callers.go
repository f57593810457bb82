package ratelimit

import (
	"maps"
	"sync"
	"time"
)

// maxCallers is how many callers a policy tells apart.
const maxCallers = 10_000

// callers are the buckets under an identity bound.
type callers struct {
	perSecond uint32
	crowd     *bucket // of callers who are new when there are maxCallers

	mu    sync.RWMutex
	known map[string]*bucket
	swept time.Time
}

func newCallers(perSecond uint32) *callers {
	return &callers{perSecond: perSecond, crowd: newBucket(perSecond), known: map[string]*bucket{}}
}

// lock returns the bucket of a caller, locked. It locks before it lets go of the
// map, so that no bucket is swept away between being found and being taken from.
func (c *callers) lock(now time.Time, caller string) *bucket {
	if b := c.lockKnown(caller); b != nil {
		return b
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.known[caller]
	if b == nil {
		b = c.admitLocked(now, caller)
	}
	b.mu.Lock()
	return b
}

func (c *callers) lockKnown(caller string) *bucket {
	c.mu.RLock()
	defer c.mu.RUnlock()
	b := c.known[caller]
	if b != nil {
		b.mu.Lock()
	}
	return b
}

func (c *callers) admitLocked(now time.Time, caller string) *bucket {
	if len(c.known) >= maxCallers {
		c.sweepLocked(now)
	}
	if len(c.known) >= maxCallers {
		return c.crowd
	}
	b := newBucket(c.perSecond)
	c.known[caller] = b
	return b
}

// sweepLocked forgets the buckets that are full. It looks once a second at the
// most: in that time every bucket that nobody takes from fills up.
func (c *callers) sweepLocked(now time.Time) {
	if now.Sub(c.swept) < time.Second {
		return
	}
	c.swept = now
	maps.DeleteFunc(c.known, func(_ string, b *bucket) bool { return b.full(now) })
}
