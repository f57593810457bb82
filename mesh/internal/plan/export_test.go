package plan

// KnowsOperator reports whether a header value's operator has a meaning.
func KnowsOperator(name string) bool {
	_, ok := operators[name]
	return ok
}

// Operators are all that have a meaning.
func Operators() map[string]func(Values, string) string { return operators }
