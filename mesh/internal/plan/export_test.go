package plan

// KnowsOperator reports whether a header value's operator has a meaning.
func KnowsOperator(name string) bool {
	_, ok := operators[name]
	return ok
}

// SharesIndex reports whether p took over the index of before.
func (p *Plan) SharesIndex(before *Plan) bool { return p.index == before.index }
