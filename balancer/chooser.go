package balancer

// A chooser is one algorithm over one fixed list of members.
type chooser interface {
	// choose returns an index into the list, and at for asking again. What it returns may be
	// unusable: the caller asks again.
	choose(a ask) (i int, at uint64)
}

// An ask is what a chooser may look at.
type ask struct {
	at    uint64 // the key, to a hash policy, and a random number to the others; then where the last choice was found
	now   int64  // Unix nanoseconds; 0: unknown
	again bool   // the last choice would not do
}

// number is a random one, for one choice.
func (a ask) number() uint64 {
	if a.again {
		return remix(a.at)
	}
	return a.at
}

// newChooser returns the algorithm of policy over c. The hash policies are not here: their
// tables outlive the comings and goings of candidates. Nor is leastOfEquals.
func newChooser(policy Policy, c candidates, turn *rotation) chooser {
	switch {
	case policy == RoundRobin:
		return newRoundRobin(c, turn)
	case policy == Random || len(c.members) == 1:
		return random(len(c.members))
	case policy == PeakEWMA:
		return &peakEWMA{newPair(c)}
	}
	return &leastRequest{newPair(c)}
}

// Candidates are the members among which a chooser may choose, as they were at the last Refresh.
type candidates struct {
	members []*member
	weights []float64 // nil: all equal
	deny    uint32    // a member with any of these bits is not usable now
	warm    *warmth   // nil: nobody warms up
}

// alike reports whether there is a choice, and nothing to tell the members apart but their load.
func (c *candidates) alike() bool { return len(c.members) > 1 && c.weights == nil && c.warm == nil }

func (c *candidates) usable(i int) bool { return !c.members[i].has(c.deny) }

// weight is the share that member i deserves now, relative to the others.
func (c *candidates) weight(i int, now int64) float64 {
	w := 1.0
	if c.weights != nil {
		w = c.weights[i]
	}
	if c.warm.over(now) {
		return w
	}
	return w * c.warm.factor(c.members[i].joined.Load(), now)
}

// A pair draws two distinct candidates in proportion to their weights, as power of two choices
// needs them. There are at least two.
//
// Envoy draws with replacement, so that in a set of three one pick in three compares a host
// with itself and is a random pick: the weaker form. Two distinct hosts are always a choice.
type pair struct {
	candidates
	odds *alias // nil: all equal
}

func newPair(c candidates) pair {
	p := pair{candidates: c}
	if c.weights != nil {
		p.odds = newAlias(c.weights)
	}
	return p
}

// draw spends one random number on one candidate.
func (p *pair) draw(r uint64) int {
	if p.odds != nil {
		return p.odds.draw(r)
	}
	return oneOf(len(p.members), r)
}

// first draws one candidate, rejecting warming ones as often as they lack weight.
func (p *pair) first(r uint64, now int64) int {
	i := p.draw(r)
	if p.warm.over(now) {
		return i
	}
	for n := 0; n < maxRejections && !p.warm.admits(p.members[i], now); n++ {
		r = remix(r)
		i = p.draw(r)
	}
	return i
}

// other draws a second candidate. Where one weight dwarfs the rest it gives up on the weights
// after a few tries, rather than on being distinct.
func (p *pair) other(i int, r uint64, now int64) int {
	r = ^r // not the numbers that first went through
	if p.odds != nil || !p.warm.over(now) {
		for range 4 {
			r = remix(r)
			if j := p.first(r, now); j != i {
				return j
			}
		}
	}
	return otherOf(len(p.members), i, r)
}

// two returns two distinct usable candidates, or the same one twice where there is only one. A
// re-pick gets just one: of two the host that was refused might be the better one again and again.
func (p *pair) two(r uint64, a ask) (i, j int) {
	i = p.first(r, a.now)
	if a.again {
		return i, i
	}
	j = p.other(i, r, a.now)
	switch {
	case !p.usable(i):
		return j, j
	case !p.usable(j):
		return i, i
	}
	return i, j
}

// oneOf draws one of n alike by the upper half of a random number, and otherOf, by the lower half,
// another than i.
func oneOf(n int, r uint64) int { return below(uint32(r>>32), n) }

func otherOf(n, i int, r uint64) int {
	j := below(uint32(r), n-1)
	if j >= i {
		j++
	}
	return j
}
