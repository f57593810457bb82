package plan

// A matcher decides about a request. Those of routes are made of their matches once,
// so that none is longer than what the rule says.
type matcher interface {
	holds(r *Request) bool
}

// anyOf holds if one of the matches does; nil, which stands for everything, if there
// is none.
func anyOf(matches []match) matcher {
	if len(matches) == 0 {
		return nil
	}
	if len(matches) == 1 {
		return allOf(matches[0].conditions)
	}
	var any disjunction
	for i := range matches {
		any = append(any, allOf(matches[i].conditions))
	}
	return any
}

func allOf(conditions []condition) matcher {
	if len(conditions) == 1 {
		return conditions[0]
	}
	return conjunction(conditions)
}

// A conjunction of nothing holds.
type conjunction []condition

func (all conjunction) holds(r *Request) bool {
	for _, c := range all {
		if !c.holds(r) {
			return false
		}
	}
	return true
}

type disjunction []matcher

func (any disjunction) holds(r *Request) bool {
	for _, m := range any {
		if m.holds(r) {
			return true
		}
	}
	return false
}
