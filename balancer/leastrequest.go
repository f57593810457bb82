package balancer

// leastRequest is the power of two choices (Mitzenmacher,
// https://www.eecs.harvard.edu/~michaelm/postscripts/mythesis.pdf): of two hosts drawn at random
// it takes the one with fewer requests in flight, and the first drawn when they are equal.
type leastRequest struct{ pair }

func (l *leastRequest) choose(a ask) (int, uint64) {
	i, j := l.two(a)
	if i != j && l.lighter(j, i, a.now) {
		return j, remix(a.at)
	}
	return i, remix(a.at)
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
