package plan

import (
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A template is a header value with Envoy's command operators: %REQ(x-user)%.
// Nil is the empty string.
type template []part

type part struct {
	literal  string
	operator func(v Values, argument string) string
	argument string
}

// Values is what operators can ask for.
type Values struct {
	*Request
	Protocol string // "HTTP/1.1"
	Start    time.Time
	Upstream string // address of the endpoint; "" before one is picked
	Status   int    // of the response; 0 while there is none
	Response map[string][]string
}

// operators are those that a process can answer; rules refuse all others.
var operators = map[string]func(Values, string) string{
	"REQ":                     func(v Values, names string) string { return either(names, v.value) },
	"RESP":                    func(v Values, names string) string { return either(names, v.response) },
	"PROTOCOL":                func(v Values, _ string) string { return v.Protocol },
	"START_TIME":              func(v Values, _ string) string { return v.Start.UTC().Format("2006-01-02T15:04:05.000Z") },
	"HOSTNAME":                func(Values, string) string { name, _ := os.Hostname(); return name },
	"RESPONSE_CODE":           func(v Values, _ string) string { return v.status() },
	"UPSTREAM_HOST":           func(v Values, _ string) string { return v.Upstream },
	"UPSTREAM_REMOTE_ADDRESS": func(v Values, _ string) string { return v.Upstream },
	"DOWNSTREAM_REMOTE_ADDRESS": func(v Values, _ string) string {
		return v.remote()
	},
	"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": func(v Values, _ string) string { return withoutPort(v.remote()) },
}

// either answers %REQ(X?Y)%: X, else Y.
func either(names string, value func(*headerName) (string, bool)) string {
	first, second, _ := strings.Cut(names, "?")
	name := newHeaderName(first)
	s, ok := value(&name)
	if !ok && second != "" {
		name = newHeaderName(second)
		s, _ = value(&name)
	}
	return s
}

// response returns a header of the response, whose keys may be of either case.
func (v Values) response(name *headerName) (string, bool) {
	if name.lower == ":status" {
		return v.status(), v.Status != 0
	}
	for _, key := range []string{name.canonical, name.lower} {
		if values := v.Response[key]; len(values) > 0 {
			return strings.Join(values, ","), true
		}
	}
	return "", false
}

func (v Values) status() string {
	if v.Status == 0 {
		return ""
	}
	return strconv.Itoa(v.Status)
}

func withoutPort(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// compileTemplate compiles a validated value; "%%" is a percent sign.
func compileTemplate(s string) template {
	var t template
	for s != "" {
		literal, rest, found := strings.Cut(s, "%")
		if literal != "" {
			t = append(t, part{literal: literal})
		}
		if !found {
			break
		}
		if strings.HasPrefix(rest, "%") {
			t, s = append(t, part{literal: "%"}), rest[1:]
			continue
		}
		var command string
		command, s, _ = cutCommand(rest)
		t = append(t, compileOperator(command))
	}
	return t
}

// cutCommand splits at the closing percent sign, which may not stand within the
// parentheses.
func cutCommand(s string) (command, rest string, ok bool) {
	from := 0
	if open := strings.IndexByte(s, '('); open >= 0 && open < strings.IndexByte(s, '%') {
		from = open + strings.IndexByte(s[open:], ')')
	}
	end := strings.IndexByte(s[from:], '%')
	if end < 0 {
		return s, "", false
	}
	return s[:from+end], s[from+end+1:], true
}

// compileOperator reads NAME or NAME(argument).
func compileOperator(command string) part {
	name, rest, _ := strings.Cut(command, "(")
	argument, _, _ := strings.Cut(rest, ")")
	return part{operator: operators[name], argument: argument}
}

// asks says that the value is not the same for all messages.
func (t template) asks() bool {
	return slices.ContainsFunc(t, func(p part) bool { return p.operator != nil })
}

func (t template) format(v Values) string {
	if len(t) == 1 && t[0].operator == nil {
		return t[0].literal
	}
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.format(v))
	}
	return b.String()
}

// format: an operator without a value writes nothing; a header's formatter is
// made with omit_empty_values (Envoy, header_parser.cc).
func (p part) format(v Values) string {
	if p.operator == nil {
		return p.literal
	}
	return p.operator(v, p.argument)
}
