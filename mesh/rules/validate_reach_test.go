package rules_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// A modelMatch is the part of a match that the model below understands; an
// empty field matches everything.
type modelMatch struct {
	exact, prefix, method, header string
}

func (m modelMatch) yaml() string {
	var fields []string
	add := func(format, value string) {
		if value != "" {
			fields = append(fields, fmt.Sprintf(format, value))
		}
	}
	add("uri: {exact: %s}", m.exact)
	add("uri: {prefix: %s}", m.prefix)
	add("method: {exact: %s}", m.method)
	add("headers: {x: {exact: %s}}", m.header)
	return "{" + strings.Join(fields, ", ") + "}"
}

func (m modelMatch) matches(path, method, header string) bool {
	return (m.exact == "" || m.exact == path) && strings.HasPrefix(path, m.prefix) &&
		(m.method == "" || m.method == method) && (m.header == "" || m.header == header)
}

// A route that is said to be never reached gets no request of all that there are.
func TestRoutesSaidToBeUnreachableGetNoRequest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	paths, methods, headers := []string{"", "/", "/a", "/ab", "/b"}, []string{"", "GET", "POST"}, []string{"", "p", "q"}
	one := func(of []string) string { return of[r.IntN(len(of))] }
	for range 300 {
		routes := make([]modelMatch, 6)
		for i := range routes {
			routes[i] = modelMatch{method: one(methods), header: one(headers)}
			if path := one(paths); r.IntN(2) == 0 {
				routes[i].exact = path
			} else {
				routes[i].prefix = path
			}
		}
		first := map[int]bool{} // routes that are the first to match some request
		for _, path := range append(paths[1:], "/abc") {
			for _, method := range append(methods, "PUT") {
				for _, header := range append(headers, "r") {
					for i, m := range routes {
						if m.matches(path, method, header) {
							first[i] = true
							break
						}
					}
				}
			}
		}
		document := modelRule(routes)
		for _, f := range faultsOf(t, document) {
			var i int
			if n, _ := fmt.Sscanf(f.Field, "spec.http[%d]", &i); n == 1 && first[i] {
				t.Fatalf("%s: %s, but it gets requests:\n%s", f.Field, f.Message, document)
			}
		}
	}
}

func modelRule(routes []modelMatch) string {
	var entries []string
	for _, m := range routes {
		entries = append(entries, "{match: ["+m.yaml()+"], route: [{destination: {host: a}}]}")
	}
	return virtualService("hosts: [a], http: [" + strings.Join(entries, ", ") + "]")
}
