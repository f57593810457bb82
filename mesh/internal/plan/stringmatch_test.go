package plan_test

import (
	"fmt"
	"testing"
)

// A request path, and whether a match of the uri takes it.
func TestUriMatchesAsItsKindSays(t *testing.T) {
	for _, c := range []struct {
		uri, path string
		want      bool
	}{
		{`{exact: /a}`, "/a", true},
		{`{exact: /a}`, "/A", false},
		{`{exact: /a}`, "/a/", false},
		{`{prefix: /a}`, "/ab", true}, // no path segments
		{`{prefix: /a}`, "/", false},
		{`{prefix: ""}`, "/x", true},
		{`{regex: "/a"}`, "/ab", false}, // the whole value
		{`{regex: "/a|/b.*"}`, "/bc", true},
		{`{regex: "/a|/b.*"}`, "/ac", false}, // the alternatives as a whole
		{`{regex: '/a\Q.b'}`, "/a.b", true},  // a quote may run to the end
		{`{regex: '/a\Q.b'}`, "/a.b)$", false},
		{`{regex: '\Q'}`, "/", false},
		{`{regex: '(?i)/A'}`, "/a", true},
		{`{}`, "/anything", true},
	} {
		p := compile(t, virtualService("v", fmt.Sprintf("hosts: [a.com]\nhttp: [{match: [{uri: %s}], route: [{destination: {host: b.com}}]}]", c.uri)))
		if got := route(t, p, "http://a.com"+c.path) != nil; got != c.want {
			t.Errorf("uri %s and %s: %v, want %v", c.uri, c.path, got, c.want)
		}
	}
}
