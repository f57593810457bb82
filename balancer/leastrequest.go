package balancer

// leastRequest is the power of two choices (Mitzenmacher,
// https://www.eecs.harvard.edu/~michaelm/postscripts/mythesis.pdf): of two hosts drawn at random
// it takes the one with fewer requests in flight, and the first drawn when they are equal.
type leastRequest struct{ pair }

func (l *leastRequest) choose(a ask) (int, uint64) {
	r := a.number()
	i, j := l.two(r, a)
	if i != j && l.lighter(j, i, a.now) {
		return j, r
	}
	return i, r
}

// lighter reports whether j should take the request rather than i: it carries less for its weight
// now, and would not carry more for its weight with the request on top. With equal weights the
// two say the same. With others, the first alone sends a light host too much whenever a heavy one
// is busy, the second alone sends an idle set's requests all to the heaviest; together the shares
// follow the weights when idle (the draw decides) and when loaded (the load does).
func (l *leastRequest) lighter(j, i int, now int64) bool {
	mine, yours := l.members[i].active.Load(), l.members[j].active.Load()
	if l.weights == nil && l.warm.over(now) {
		return yours < mine
	}
	ai, aj := float64(mine), float64(yours)
	wi, wj := l.weight(i, now), l.weight(j, now)
	return aj*wi < ai*wj && (aj+1)*wi <= (ai+1)*wj
}

// leastOfEquals is leastRequest over two or more hosts of which none weighs more than another, nor
// warms up: there is less to look at. It looks at them in the list that the choice is then taken
// from: among thousands each list costs a cache miss.
type leastOfEquals[T any] struct {
	hosts []*Host[T]
	deny  uint32
}

func (l *leastOfEquals[T]) choose(a ask) (int, uint64) {
	if a.again {
		r := a.number()
		return oneOf(len(l.hosts), r), r
	}
	i := oneOf(len(l.hosts), a.at)
	j := otherOf(len(l.hosts), i, a.at)
	one, other := l.hosts[i], l.hosts[j]
	if !other.has(l.deny) && (other.active.Load() < one.active.Load() || one.has(l.deny)) {
		return j, a.at
	}
	return i, a.at
}
