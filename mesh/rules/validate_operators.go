package rules

import (
	"errors"
	"fmt"
	"strings"
)

var (
	errLonePercent = errors.New("unterminated %")
	errArguments   = errors.New("unterminated ( of an operator")
)

// headerOperators are the names of the operators in a header value, or what is
// wrong with its syntax. The grammar is that of Envoy's header formatter as
// Istio checks it:
//
//	value    = *( literal / "%%" / "%" name [ "(" args ")" *" " ] "%" )
//	args     = text / "[" string *( "," string ) "]"
func headerOperators(value string) ([]string, error) {
	var names []string
	for {
		_, rest, found := strings.Cut(value, "%")
		if !found {
			return names, nil
		}
		if after, escaped := strings.CutPrefix(rest, "%"); escaped {
			value = after
			continue
		}
		name, after, err := headerOperator(rest)
		if err != nil {
			return names, err
		}
		names, value = append(names, name), after
	}
}

// headerOperator reads one operator after its first percent sign.
func headerOperator(s string) (name, rest string, err error) {
	end := strings.IndexAny(s, "%(")
	if end < 0 {
		return "", "", errLonePercent
	}
	name = s[:end]
	if s[end] == '%' {
		return name, s[end+1:], nil
	}
	rest, err = skipArguments(s[end+1:])
	if err != nil {
		return name, "", err
	}
	rest, closed := strings.CutPrefix(strings.TrimLeft(rest, " "), "%")
	if !closed {
		return name, "", fmt.Errorf("%%%s(…) has no %% after it", name)
	}
	return name, rest, nil
}

// skipArguments returns what follows the closing parenthesis. Like Envoy's
// parser it takes the first byte of the arguments for text, whatever it is,
// and leaves a string at a parenthesis too.
func skipArguments(s string) (string, error) {
	s = strings.TrimLeft(s, " ")
	if s == "" {
		return "", errArguments
	}
	s, list := s[1:], s[0] == '['
	for {
		if list {
			quoted, ok := strings.CutPrefix(strings.TrimLeft(s, " "), `"`)
			if !ok {
				return "", errors.New(`want a " in the list of arguments`)
			}
			s = quoted
		}
		end := argumentEnd(s)
		if end < 0 {
			return "", errArguments
		}
		if s[end] == ')' {
			return s[end+1:], nil
		}
		next, more := strings.CutPrefix(strings.TrimLeft(s[end+1:], " "), ",")
		if !more {
			return skipListEnd(next)
		}
		s, list = next, true
	}
}

// argumentEnd is the index of the first ) or " that no backslash escapes; -1 for none.
func argumentEnd(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ')', '"':
			return i
		}
	}
	return -1
}

func skipListEnd(s string) (string, error) {
	rest, closed := strings.CutPrefix(s, "]")
	rest, ended := strings.CutPrefix(strings.TrimLeft(rest, " "), ")")
	if !closed || !ended {
		return "", errors.New("want ]) after the list of arguments")
	}
	return rest, nil
}
