package ratelimit

import "time"

// A claim is a bucket that a request needs a token from.
type claim struct {
	policy *policy
	bound  Bound
	bucket *bucket
}

// claims are those of one request; their buckets are locked.
type claims struct {
	held [4]claim
	n    int
}

// lock locks the buckets of a request. The order is the same for all requests,
// so that no two wait for each other; and those that all requests share come
// last, so that nobody waits for a bucket of one's own while holding them.
func (c *claims) lock(server, route *policy, now time.Time, caller string) {
	c.lockCaller(server, now, caller)
	c.lockCaller(route, now, caller)
	c.lockTotal(route)
	c.lockTotal(server)
}

func (c *claims) lockCaller(p *policy, now time.Time, caller string) {
	if p == nil {
		return
	}
	b, bound := p.lockCaller(now, caller)
	c.add(claim{policy: p, bound: bound, bucket: b})
}

func (c *claims) lockTotal(p *policy) {
	if p == nil {
		return
	}
	c.add(claim{policy: p, bound: Total, bucket: p.lockTotal()})
}

func (c *claims) add(one claim) {
	if one.bucket == nil {
		return
	}
	c.held[c.n] = one
	c.n++
}

// look finds the bucket that is longest without a token. The zero Refusal: all
// have one.
func (c *claims) look(now time.Time) (longest Refusal) {
	for _, one := range c.held[:c.n] {
		if wait := one.bucket.waitLocked(now); wait > longest.Wait {
			longest = Refusal{Policy: &one.policy.rule.Meta, Bound: one.bound, PerSecond: one.bucket.perSecond, Wait: wait}
		}
	}
	return longest
}

func (c *claims) take() {
	for _, one := range c.held[:c.n] {
		one.bucket.takeLocked()
	}
}

func (c *claims) release() {
	for _, one := range c.held[:c.n] {
		one.bucket.mu.Unlock()
	}
}
