package plan_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// delegation is a root rule of one route for a.com, with a match or without,
// that delegates to a rule of one route.
func delegation(root, leaf string) []string {
	return []string{
		virtualService("root", "hosts: [a.com]\nhttp: [{"+root+"delegate: {name: leaf, namespace: team}}]"),
		virtualService("team/leaf", "http: [{"+leaf+"route: [{destination: {host: b.com}}]}]"),
	}
}

func routesOf(p *plan.Plan, authority string) []*plan.Route { return p.Lookup(authority).Routes }

func names(routes []*plan.Route) (out []string) {
	for _, r := range routes {
		if r.Rule != nil {
			out = append(out, r.Name)
		}
	}
	return out
}

func TestMatchesOfDelegatesMustLieWithinTheRoots(t *testing.T) {
	for _, c := range []struct {
		root, leaf string
		fits       bool
	}{
		// "either side unset → fine"
		{"", "uri: {exact: /a}", true},
		{"uri: {prefix: /a}", "", true},
		{"uri: {prefix: /a}", "method: {exact: GET}", true},
		// "regex on either side with anything on the other → conflict"
		{"uri: {regex: /a}", "uri: {regex: /a}", false},
		{"uri: {regex: /a}", "uri: {exact: /a}", false},
		{"uri: {prefix: /a}", "uri: {regex: /a.*}", false},
		// "root `exact` needs the identical `exact`"
		{"uri: {exact: /a}", "uri: {exact: /a}", true},
		{"uri: {exact: /a}", "uri: {exact: /ab}", false},
		{"uri: {exact: /a}", "uri: {prefix: /a}", false},
		{"uri: {exact: /a}", "uri: {}", false},
		// "root `prefix` needs a `prefix` or `exact` that starts with it"
		{"uri: {prefix: /a}", "uri: {prefix: /a/b}", true},
		{"uri: {prefix: /a}", "uri: {exact: /ab}", true},
		{"uri: {prefix: /a/b}", "uri: {prefix: /a}", false},
		{"uri: {prefix: /a}", "uri: {exact: /b}", false},
		{"uri: {prefix: /a}", "uri: {}", false},
		// "root `{}` (presence) with any leaf value → conflict"
		{"uri: {}", "uri: {exact: /a}", false},
		{"uri: {}", "uri: {prefix: /a}", false},
		// the same for the others, header by header
		{"scheme: {exact: http}", "scheme: {exact: https}", false},
		{"method: {exact: GET}", "method: {exact: GET}", true},
		{"method: {exact: GET}", "method: {exact: POST}", false},
		{"authority: {prefix: a}", "authority: {exact: b.com}", false},
		{"headers: {x: {exact: a}}", "headers: {w: {exact: b}}", true},
		{"headers: {x: {exact: a}}", "headers: {x: {exact: b}}", false},
		{"headers: {x: {prefix: a}}", "headers: {x: {exact: ab}}", true},
		{"withoutHeaders: {x: {exact: a}}", "withoutHeaders: {x: {exact: b}}", false},
		{"queryParams: {q: {exact: a}}", "queryParams: {q: {exact: b}}", false},
		{"queryParams: {q: {exact: a}}", "queryParams: {r: {exact: b}}", true},
		// "`ignoreUriCase` must be equal"
		{"uri: {prefix: /a}, ignoreUriCase: true", "uri: {prefix: /a}", false},
		{"uri: {prefix: /a}, ignoreUriCase: true", "uri: {prefix: /a}, ignoreUriCase: true", true},
		// "`port` equal or one side 0"
		{"port: 80", "port: 80", true},
		{"port: 80", "uri: {exact: /a}", true},
		{"uri: {exact: /a}", "port: 80", true},
		{"port: 80", "port: 81", false},
		// "if the root sets it the delegate must repeat the same value"
		{"sourceNamespace: default", "sourceNamespace: default", true},
		{"sourceNamespace: default", "uri: {exact: /a}", false},
		{"uri: {exact: /a}", "sourceNamespace: default", true},
		{"sourceNamespace: default", "sourceNamespace: other", false},
		// "`sourceLabels` no contradicting key"
		{"sourceLabels: {app: web}", "sourceLabels: {app: web}", true},
		{"sourceLabels: {app: web}", "sourceLabels: {app: db}", false},
		{"sourceLabels: {app: web}", "sourceLabels: {tier: x}", true},
		// "`gateways` delegate ⊆ root when both set"
		{"gateways: [mesh, edge]", "gateways: [mesh]", true},
		{"gateways: [mesh]", "gateways: [mesh, edge]", false},
		{"gateways: [mesh]", "uri: {exact: /a}", true},
	} {
		p := plan.Compile(parse(t, delegation("match: [{"+c.root+"}], ", "match: [{"+c.leaf+"}], ")...),
			plan.Options{Workload: plan.Workload{Labels: map[string]string{"app": "web", "tier": "x"}}})
		if c.root == "" || c.leaf == "" {
			p = compile(t, delegation(matchOf(c.root), matchOf(c.leaf))...)
		}
		if got := len(names(routesOf(p, "a.com"))) == 1; got != c.fits {
			t.Errorf("root {%s}, delegate {%s}: fits %v, want %v", c.root, c.leaf, got, c.fits)
		}
	}
}

func matchOf(match string) string {
	if match == "" {
		return ""
	}
	return "match: [{" + match + "}], "
}

func TestAMergedMatchAsksForBoth(t *testing.T) {
	p := compile(t, delegation(
		"match: [{uri: {prefix: /a}, headers: {x: {exact: '1'}, w: {prefix: a}}, queryParams: {q: {}}}], ",
		"match: [{uri: {prefix: /a/b}, headers: {w: {exact: ab}, z: {}}, method: {exact: GET}}], ")...)
	full := map[string][]string{"X": {"1"}, "W": {"ab"}, "Z": {""}}
	for _, c := range []struct {
		url     string
		without string
		want    bool
	}{
		{"http://a.com/a/b?q", "", true},
		{"http://a.com/a?q", "", false},
		{"http://a.com/a/b", "", false},
		{"http://a.com/a/b?q", "X", false},
		{"http://a.com/a/b?q", "W", false},
		{"http://a.com/a/b?q", "Z", false},
	} {
		r := get(c.url)
		r.Header = map[string][]string{}
		for k, v := range full {
			if k != c.without {
				r.Header[k] = v
			}
		}
		if got := routeOf(t, p, r) != nil; got != c.want {
			t.Errorf("%s without %q: %v, want %v", c.url, c.without, got, c.want)
		}
	}
}

func TestEachCompatiblePairOfMatchesIsOneMatch(t *testing.T) {
	p := compile(t, delegation(
		"match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}, {headers: {x: {}}}], ",
		"match: [{uri: {prefix: /a/1}}, {uri: {prefix: /b/1}}], ")...)
	with := func(url string) *plan.Request {
		r := get(url)
		r.Header = map[string][]string{"X": {""}}
		return r
	}
	for _, c := range []struct {
		request *plan.Request
		want    bool
	}{
		{get("http://a.com/a/1"), true},
		{get("http://a.com/b/1"), true},
		{get("http://a.com/a/2"), false},
		{get("http://a.com/c"), false},
		{with("http://a.com/c"), false}, // within the root's third, but none of the delegate's
	} {
		if got := routeOf(t, p, c.request) != nil; got != c.want {
			t.Errorf("%s: %v, want %v", c.request.Path, got, c.want)
		}
	}
}

func TestOneDelegateMatchWithoutAPartnerDropsTheWholeRoute(t *testing.T) {
	p := compile(t, delegation("match: [{uri: {prefix: /a}}], ", "match: [{uri: {prefix: /a/1}}, {uri: {prefix: /b}}], ")...)
	if got := owner(p, "http://a.com/a/1"); got != "default" {
		t.Errorf("a.com/a/1: %s, want the default route", got)
	}
}

func TestDelegatedRoutesStandWhereTheRootDelegates(t *testing.T) {
	p := compile(t,
		virtualService("root", `
hosts: [a.com]
http:
- {name: first, match: [{uri: {exact: /first}}], route: [{destination: {host: b.com}}]}
- {name: gone, match: [{uri: {exact: /gone}}], delegate: {name: missing}}
- {name: hidden, match: [{uri: {exact: /hidden}}], delegate: {name: hidden, namespace: team}}
- {name: root, match: [{uri: {prefix: /d}}], delegate: {name: leaf, namespace: team}}
- {match: [{uri: {prefix: /e}}], delegate: {name: leaf, namespace: team}}
- {name: near, match: [{uri: {prefix: /n}}], delegate: {name: near}}
- {name: last, route: [{destination: {host: b.com}}]}`),
		virtualService("team/leaf", `
http:
- {name: one, match: [{uri: {prefix: /d/1}}], route: [{destination: {host: c.com}}]}
- {name: conflict, match: [{uri: {prefix: /x}}], route: [{destination: {host: c.com}}]}
- {route: [{destination: {host: short}}]}`),
		virtualService("team/hidden", "exportTo: [\".\"]\nhttp: [{route: [{destination: {host: c.com}}]}]"),
		virtualService("near", "exportTo: [\".\"]\nhttp: [{route: [{destination: {host: c.com}}]}]"))
	got := names(routesOf(p, "a.com"))
	if want := []string{"first", "root-one", "root", "spec.http[4]", "near", "last"}; !slices.Equal(got, want) {
		t.Errorf("routes %v, want %v", got, want)
	}
	if d := route(t, p, "http://a.com/d/2").Destinations[0]; d.Host != "short.team.svc.cluster.local" {
		t.Errorf("a short name of the delegate means %s", d.Host)
	}
}

func TestADelegateIsNoRuleOfItsOwn(t *testing.T) {
	p := compile(t, virtualService("leaf", "http: [{directResponse: {status: 200}}]"))
	if p.Known("leaf") || p.Known("") {
		t.Error("the delegate gave a host its name")
	}
}

func TestDelegatesInheritWhatTheyDoNotSay(t *testing.T) {
	const everything = `timeout: 1s, retries: {attempts: 7, retryOn: 5xx}, rewrite: {uri: /root}, headers: {request: {set: {x: root}}},
    fault: {abort: {httpStatus: 418, percentage: {value: 100}}}, mirror: {host: shadow}, mirrorPercentage: {value: 25}, `
	root := virtualService("root", "hosts: [a.com]\nhttp: [{"+everything+"delegate: {name: leaf, namespace: team}}]")
	inherited := compile(t, root, virtualService("team/leaf", "http: [{route: [{destination: {host: b.com}}]}]"))
	own := compile(t, root, virtualService("team/leaf", `http: [{timeout: 2s, retries: {attempts: 3}, rewrite: {uri: /leaf}, headers: {request: {set: {w: leaf}}},
    fault: {abort: {httpStatus: 503, percentage: {value: 100}}}, mirror: {host: mine}, mirrorPercentage: {value: 50}, route: [{destination: {host: b.com}}]}]`))
	for _, c := range []struct {
		p    *plan.Plan
		want string
	}{
		{inherited, "1s 7 /root root/ 418 shadow.default.svc.cluster.local 250000"},
		{own, "2s 3 /leaf /leaf 503 mine.team.svc.cluster.local 500000"},
	} {
		r := route(t, c.p, "http://a.com/")
		h := map[string][]string{}
		r.Destinations[0].Request.ApplyToRequest(h, plan.Values{Request: get("http://a.com/")})
		mirror := r.Mirrors[0]
		got := fmt.Sprintf("%v %d %s %s/%s %d %s %d", r.Timeout, r.Retry.Attempts, r.Path(get("http://a.com/"), 80), first(h["X"]), first(h["W"]),
			r.Fault.AbortStatus, mirror.Route.Destinations[0].Host, mirror.Fraction)
		if got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

func TestMirrorsOfTheRootKeepTheRootsNamespace(t *testing.T) {
	p := compile(t,
		virtualService("root", "hosts: [a.com]\nhttp: [{mirrors: [{destination: {host: shadow}}], delegate: {name: leaf, namespace: team}}]"),
		virtualService("team/leaf", "http: [{route: [{destination: {host: b.com}}]}]"))
	m := route(t, p, "http://a.com/").Mirrors
	if len(m) != 1 || m[0].Route.Destinations[0].Host != "shadow.default.svc.cluster.local" {
		t.Errorf("mirrors %+v", m)
	}
}

func TestADirectResponseOfTheRootTakesTheDelegatesPlace(t *testing.T) {
	p := compile(t, delegation("directResponse: {status: 204}, ", "timeout: 1s, ")...)
	if r := route(t, p, "http://a.com/"); r.Direct == nil || r.Direct.Status != 204 || len(r.Destinations) != 0 || r.Timeout != time.Second {
		t.Errorf("route %+v", r)
	}
}
