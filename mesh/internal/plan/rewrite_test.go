package plan_test

import "testing"

func TestPathsAreRewritten(t *testing.T) {
	for _, c := range []struct{ name, match, rewrite, path, want string }{
		{"prefix as text", "uri: {prefix: /a}", "uri: /x", "/ab/c", "/xb/c"},
		{"prefix, nothing behind it", "uri: {prefix: /a}", "uri: /x", "/a", "/x"},
		{"prefix with a slash by one without", "uri: {prefix: /a/}", "uri: /", "/a/b", "/b"},
		{"prefix in another case", "uri: {prefix: /A}, ignoreUriCase: true", "uri: /x", "/ab", "/xb"},
		{"exact: the whole path", "uri: {exact: /a}", "uri: /x", "/a", "/x"},
		{"regex: the whole path", "uri: {regex: /a.*}", "uri: /x", "/a/b/c", "/x"},
		{"no uri match: the prefix /", "method: {exact: GET}", "uri: /x", "/foo", "/xfoo"},
		{"any uri: the prefix /", "uri: {}", "uri: /x", "/foo", "/xfoo"},
		{"no uri match and a slash", "method: {exact: GET}", "uri: /x/", "/foo", "/x/foo"},
		{"the match that let the request in", "uri: {prefix: /b}}, {uri: {prefix: /a}", "uri: /x", "/a1", "/x1"},
		{"regex: every occurrence", "uri: {prefix: /}", "uriRegexRewrite: {match: a, rewrite: b}", "/a/a", "/b/b"},
		{"regex: groups", "uri: {prefix: /}", `uriRegexRewrite: {match: '^/(\w+)/(\w+)', rewrite: '/\2/\1'}`, "/a/b/c", "/b/a/c"},
		{"regex: the whole match", "uri: {prefix: /}", `uriRegexRewrite: {match: 'a+', rewrite: '<\0>'}`, "/aa", "/<aa>"},
		{"regex: a backslash", "uri: {prefix: /}", `uriRegexRewrite: {match: a, rewrite: '\\'}`, "/a", `/\`},
		{"regex: a dollar is a dollar", "uri: {prefix: /}", `uriRegexRewrite: {match: (a), rewrite: '$1'}`, "/a", "/$1"},
		{"regex: unanchored", "uri: {prefix: /}", `uriRegexRewrite: {match: b$, rewrite: c}`, "/ab", "/ac"},
		{"regex: no match", "uri: {prefix: /}", `uriRegexRewrite: {match: x, rewrite: c}`, "/ab", "/ab"},
		{"regex: a group that did not take part", "uri: {prefix: /}", `uriRegexRewrite: {match: (a)|(b), rewrite: '<\2>'}`, "/a", "/<>"},
		{"regex: nothing is left", "uri: {prefix: /}", `uriRegexRewrite: {match: '^/a(/.*)?$', rewrite: '\1'}`, "/a", "/"},
		{"regex: a group that there is not has no effect", "uri: {prefix: /}", `uriRegexRewrite: {match: (a), rewrite: 'x\2'}`, "/a", "/a"},
	} {
		p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{match: [{"+c.match+"}], rewrite: {"+c.rewrite+"}, route: [{destination: {host: b.com}}]}]"))
		r := get("http://a.com" + c.path)
		route := routeOf(t, p, r)
		if route == nil {
			t.Fatalf("%s: no route", c.name)
		}
		if !route.Rewrites() && c.want != c.path {
			t.Errorf("%s: the route does not say that it rewrites", c.name)
		}
		if got := route.Path(r, 80); got != c.want {
			t.Errorf("%s: %s becomes %s, want %s", c.name, c.path, got, c.want)
		}
	}
}

func TestARouteWithoutAMatchReplacesTheSlash(t *testing.T) {
	p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{rewrite: {uri: /x}, route: [{destination: {host: b.com}}]}]"))
	if got := route(t, p, "http://a.com/foo").Path(get("http://a.com/foo"), 80); got != "/xfoo" {
		t.Errorf("/foo becomes %s", got)
	}
}

func TestARewriteOfTheHostLeavesThePath(t *testing.T) {
	p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{rewrite: {authority: x}, route: [{destination: {host: b.com}}]}]"))
	if route(t, p, "http://a.com/").Rewrites() {
		t.Error("the path is rewritten")
	}
}
