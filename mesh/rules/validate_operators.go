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

// A headerOperator is %name% or %name(argument)% in the value of a header.
type headerOperator struct{ name, argument string }

// headerOperators are the operators in a header value, or what is wrong with
// its syntax. The grammar is that of Envoy's header formatter as Istio checks it:
//
//	value    = *( literal / "%%" / "%" name [ "(" args ")" *" " ] "%" )
//	args     = text / "[" string *( "," string ) "]"
func headerOperators(value string) ([]headerOperator, error) {
	var operators []headerOperator
	for {
		_, rest, found := strings.Cut(value, "%")
		if !found {
			return operators, nil
		}
		if after, escaped := strings.CutPrefix(rest, "%"); escaped {
			value = after
			continue
		}
		operator, after, err := cutOperator(rest)
		if err != nil {
			return operators, err
		}
		operators, value = append(operators, operator), after
	}
}

// cutOperator reads one operator after its first percent sign.
func cutOperator(s string) (o headerOperator, rest string, err error) {
	end := strings.IndexAny(s, "%(")
	if end < 0 {
		return o, "", errLonePercent
	}
	o.name = s[:end]
	if s[end] == '%' {
		return o, s[end+1:], nil
	}
	arguments := s[end+1:]
	after, err := skipArguments(arguments)
	if err != nil {
		return o, "", err
	}
	o.argument = arguments[:len(arguments)-len(after)-1]
	rest, closed := strings.CutPrefix(strings.TrimLeft(after, " "), "%")
	if !closed {
		return o, "", fmt.Errorf("%%%s(…) has no %% after it", o.name)
	}
	return o, rest, nil
}

// refusal says why inmesh cannot produce the value; "" if it can.
func (o headerOperator) refusal() string {
	takesHeader := o.name == "REQ" || o.name == "RESP"
	first, second, either := strings.Cut(o.argument, "?")
	switch {
	case !KnownHeaderOperator(o.name):
		return "inmesh cannot produce this value"
	case !takesHeader && o.argument != "":
		return "inmesh produces this value without arguments only"
	case takesHeader && (!isHeaderName(first) || either && !isHeaderName(second)):
		return "want the name of a header as argument"
	}
	return ""
}

// isHeaderName also takes pseudo headers.
func isHeaderName(s string) bool { return isToken(strings.TrimPrefix(s, ":")) }

// KnownHeaderOperator reports whether a header value may use the operator
// %name%: whether a client inside the calling process can know what it stands
// for. Values with others are refused when rules are read, as are arguments of
// operators other than REQ and RESP.
func KnownHeaderOperator(name string) bool {
	switch name {
	case "REQ", "RESP", // a header of the request or the response: %REQ(x-a?x-b)%
		"PROTOCOL",   // HTTP/1.1, HTTP/2
		"START_TIME", // when the request began, as 2006-01-02T15:04:05.000Z
		"HOSTNAME",   // of this machine
		"RESPONSE_CODE",
		"UPSTREAM_HOST", "UPSTREAM_REMOTE_ADDRESS", // the endpoint that was picked
		// The downstream of a client in the process is the process itself.
		"DOWNSTREAM_REMOTE_ADDRESS", "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT":
		return true
	}
	return false
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
