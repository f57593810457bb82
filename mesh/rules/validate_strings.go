package rules

import (
	"regexp"

	networking "istio.io/api/networking/v1alpha3"
)

// maxRegex is Istio's bound on a regular expression, in bytes. It stands for
// the bound on RE2's program size, which Go cannot tell.
const maxRegex = 1024

// validateStringMatch checks a match whose empty prefix Envoy refuses: all but
// that of a path.
func validateStringMatch(c *checker, path string, m *networking.StringMatch) {
	if p, ok := m.GetMatchType().(*networking.StringMatch_Prefix); ok && p.Prefix == "" {
		c.invalid(path+".prefix", "empty: want a prefix, or {} to match whatever is present")
	}
	validateMatchRegex(c, path, m)
}

func validateMatchRegex(c *checker, path string, m *networking.StringMatch) {
	if r, ok := m.GetMatchType().(*networking.StringMatch_Regex); ok {
		validateRegex(c, path+".regex", r.Regex)
	}
}

// validateRegex reports whether expr is a regular expression that may be used.
func validateRegex(c *checker, path, expr string) {
	if expr == "" {
		c.invalid(path, "empty: want a regular expression")
		return
	}
	if len(expr) > maxRegex {
		c.invalid(path, "%d bytes: want at most %d", len(expr), maxRegex)
	}
	if _, err := regexp.Compile(expr); err != nil {
		c.invalid(path, "%q: want RE2 syntax: %v", brief(expr), err)
	} else if _, err := CompileWhole(expr); err != nil {
		c.refuse(path, "%q: too large to match whole values: %v", brief(expr), err)
	}
}

// CompileWhole compiles an expression so that "the entire value must match the
// regex" (Envoy, RegexMatcher). A quote \Q may run to the end of the expression;
// what is put behind it is outside the quote only after \E.
func CompileWhole(expr string) (*regexp.Regexp, error) {
	if re, err := regexp.Compile("^(?:" + expr + ")$"); err == nil {
		return re, nil
	}
	return regexp.Compile("^(?:" + expr + `\E)$`)
}

// brief keeps the head of a long value, for messages.
func brief(s string) string {
	const longest = 80
	if len(s) <= longest {
		return s
	}
	return s[:longest] + "…"
}
