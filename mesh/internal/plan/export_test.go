package plan

// KnowsOperator reports whether a header value's operator has a meaning.
func KnowsOperator(name string) bool {
	_, ok := operators[name]
	return ok
}
