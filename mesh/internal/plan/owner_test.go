package plan_test

import (
	"slices"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// rulesNamed lists namespace/name.
func rulesNamed(metas []*rules.Meta) (out []string) {
	for _, m := range metas {
		out = append(out, m.Namespace+"/"+m.Name)
	}
	return out
}

func TestTheOldestRuleOwnsAHostAndTheOthersAreNotMerged(t *testing.T) {
	p := compile(t,
		created("02", virtualService("newer", "hosts: [a.com, b.com]\nhttp: [{directResponse: {status: 200}}]")),
		created("01", virtualService("older", "hosts: [a.com]\nhttp: [{match: [{uri: {prefix: /x}}], directResponse: {status: 200}}]")))
	for url, want := range map[string]string{
		"http://a.com/x": "default/older",
		"http://a.com/y": "none", // though the younger one would match
		"http://b.com/y": "default/newer",
	} {
		if got := owner(p, url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
	if got := rulesNamed(p.Lookup("a.com").Losers); !slices.Equal(got, []string{"default/newer"}) {
		t.Errorf("without effect on a.com: %v", got)
	}
	if got := p.Lookup("b.com").Losers; got != nil {
		t.Errorf("without effect on b.com: %v", rulesNamed(got))
	}
}

func TestRulesOfOneAgeAreOrderedByNameThenNamespace(t *testing.T) {
	p := compile(t, answers("b/x", "a.com"), answers("a/x", "a.com"), answers("a/w", "a.com"), answers("z/w", "a.com"))
	if got := owner(p, "http://a.com/"); got != "a/w" {
		t.Errorf("a.com belongs to %s", got)
	}
	if got, want := rulesNamed(p.Lookup("a.com").Losers), []string{"z/w", "a/x", "b/x"}; !slices.Equal(got, want) {
		t.Errorf("without effect: %v, want %v", got, want)
	}
}

func TestNarrowerVisibilityGoesBeforeAge(t *testing.T) {
	const body = "hosts: [a.com]\nhttp: [{directResponse: {status: 200}}]\n"
	public := created("01", virtualService("public", body))
	named := created("02", virtualService("other/named", body+"exportTo: [default, third]"))
	private := created("03", virtualService("private", body+`exportTo: ["."]`))
	for _, c := range []struct {
		want  string
		rules []string
	}{
		{"default/private", []string{public, named, private}},
		{"other/named", []string{public, named}},
		{"default/public", []string{public}},
		{"default/shared", []string{public, named, private, created("02", virtualService("shared", body+`exportTo: [".", third]`))}},
	} {
		if got := owner(compile(t, c.rules...), "http://a.com/"); got != c.want {
			t.Errorf("owner %s, want %s", got, c.want)
		}
	}
}

func TestExportToHidesRules(t *testing.T) {
	for _, c := range []struct {
		exportTo, from string
		seen           bool
	}{
		{"[]", "default", true},
		{`["*"]`, "default", true},
		{`["."]`, "default", false},
		{`["."]`, "prod", true},
		{"[prod]", "prod", true},
		{"[default]", "default", true},
		{"[elsewhere, default]", "default", true},
		{"[elsewhere]", "default", false},
		{"[elsewhere]", "prod", false}, // not even to itself
	} {
		documents := []string{
			virtualService("prod/v", "hosts: [a.com]\nhttp: [{directResponse: {status: 200}}]\nexportTo: "+c.exportTo),
			serviceEntry("prod/s", "hosts: [b.com]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: DNS\nexportTo: "+c.exportTo),
			destinationRule("prod/d", "host: c.com\nexportTo: "+c.exportTo),
		}
		p := compileFor(t, c.from, documents...)
		for _, host := range []string{"a.com", "b.com", "c.com"} {
			if got := p.Known(host); got != c.seen {
				t.Errorf("%s, exported to %s, from %s: known %v, want %v", host, c.exportTo, c.from, got, c.seen)
			}
		}
	}
}

func TestAServiceEntryExportedToNobodyIsHidden(t *testing.T) {
	p := compile(t, serviceEntry("s", "hosts: [b.com]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: DNS\nexportTo: [\"~\"]"))
	if p.Known("b.com") {
		t.Error("b.com is known")
	}
}

func TestRulesOfGatewaysDoNotBindAProcess(t *testing.T) {
	const body = "hosts: [a.com]\nhttp: [{directResponse: {status: 200}}]\ngateways: "
	for gateways, want := range map[string]string{"[edge]": "unknown", "[mesh]": "default/v", "[edge, mesh]": "default/v"} {
		if got := owner(compile(t, virtualService("v", body+gateways)), "http://a.com/"); got != want {
			t.Errorf("gateways %s: %s, want %s", gateways, got, want)
		}
	}
}

func TestAnExactRuleBeatsAWildcardOfAnyAge(t *testing.T) {
	p := compile(t, created("01", answers("wild", `"*.com"`)), created("02", answers("exact", "a.com")))
	if got := owner(p, "http://a.com/"); got != "default/exact" {
		t.Errorf("a.com belongs to %s", got)
	}
}

func TestAWildcardRuleOwnsTheServicesItCovers(t *testing.T) {
	service := serviceEntry("s", "hosts: [api.foo.com]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: DNS")
	p := compile(t, service, answers("com", `"*.com"`), answers("foo", `"*.foo.com"`))
	if got := owner(p, "http://api.foo.com/"); got != "default/foo" {
		t.Errorf("api.foo.com belongs to %s", got)
	}
}

func TestAHostWhoseOwnRulesAllExcludeTheCallerHasItsDefaultRoute(t *testing.T) {
	p := compile(t,
		answers("wild", `"*.com"`),
		virtualService("exact", "hosts: [a.com]\nhttp: [{match: [{sourceLabels: {app: x}}], directResponse: {status: 200}}]"))
	if got := owner(p, "http://a.com/"); got != "default" {
		t.Errorf("a.com belongs to %s, want its default route, not the wildcard's", got)
	}
}

func TestTheFirstRuleThatYieldsRoutesForTheCallerOwnsTheHost(t *testing.T) {
	p := compile(t,
		created("01", virtualService("older", "hosts: [a.com]\nhttp: [{match: [{sourceNamespace: prod}], directResponse: {status: 200}}]")),
		created("02", answers("newer", "a.com")))
	if got := owner(p, "http://a.com/"); got != "default/newer" {
		t.Errorf("a.com belongs to %s", got)
	}
}

func TestARuleWithoutRoutesForThePortDoesNotOwnItThere(t *testing.T) {
	older := created("01", virtualService("older", "hosts: [a.com]\nhttp: [{match: [{port: 81, uri: {prefix: /x}}], directResponse: {status: 200}}]"))
	newer := created("02", answers("newer", "a.com"))
	for _, c := range []struct {
		want, url string
		rules     []string
	}{
		{"default/older", "http://a.com:81/x", []string{older, newer}},
		{"none", "http://a.com:81/y", []string{older, newer}},
		{"default/newer", "http://a.com:82/x", []string{older, newer}},
		{"default", "http://a.com:82/x", []string{older}},
	} {
		if got := owner(compile(t, c.rules...), c.url); got != c.want {
			t.Errorf("%s: %s, want %s", c.url, got, c.want)
		}
	}
}

func TestARuleThatNamesAHostTwiceIsNotItsOwnRival(t *testing.T) {
	p := compile(t, answers("v", "reviews, REVIEWS, reviews.default.svc.cluster.local"))
	if got := p.Lookup("reviews").Losers; got != nil {
		t.Errorf("without effect: %v", rulesNamed(got))
	}
}

func TestUnmatchedRequestsFallThroughToNothing(t *testing.T) {
	p := compile(t,
		virtualService("v", "hosts: [reviews]\nhttp: [{match: [{uri: {exact: /x}}], directResponse: {status: 200}}]"),
		answers("wild", `"*.default.svc.cluster.local"`),
		serviceEntry("s", "hosts: [reviews]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: STATIC"))
	if got := owner(p, "http://reviews/y"); got != "none" {
		t.Errorf("reviews/y: %s, want none", got)
	}
}

func TestStaticConditionsConcernTheCaller(t *testing.T) {
	for match, want := range map[string]bool{
		"sourceLabels: {app: web}":                           true,
		"sourceLabels: {app: web, version: v1}":              true,
		"sourceLabels: {app: web, version: v2}":              false,
		"sourceLabels: {tier: x}":                            false,
		"sourceLabels: {}":                                   true,
		"sourceNamespace: prod":                              true,
		"sourceNamespace: default":                           false,
		"gateways: [mesh]":                                   true,
		"gateways: [edge]":                                   false,
		"gateways: [mesh], sourceLabels: {tier: x}":          true, // "labels are not looked at"
		"gateways: [edge], sourceLabels: {app: web}":         false,
		"gateways: [edge, mesh], sourceNamespace: elsewhere": true,
	} {
		set := parse(t, virtualService("v", "hosts: [a.com]\nhttp: [{match: [{"+match+"}], directResponse: {status: 200}}]"))
		p := plan.Compile(set, plan.Options{Workload: plan.Workload{Namespace: "prod", Labels: map[string]string{"app": "web", "version": "v1"}}})
		if got := owner(p, "http://a.com/") == "default/v"; got != want {
			t.Errorf("{%s}: %v, want %v", match, got, want)
		}
	}
}

func TestTheDefaultRouteSendsEverythingToTheServiceItself(t *testing.T) {
	p := compile(t, destinationRule("d", "host: reviews"))
	r := route(t, p, "http://reviews/any?thing")
	if r.Rule != nil || r.Timeout != 0 || len(r.Destinations) != 1 || len(r.Mirrors) != 0 {
		t.Errorf("default route %+v", r)
	}
	if d := r.Destinations[0]; d.Host != "reviews.default.svc.cluster.local" || d.Port != 0 || d.Subset != "" {
		t.Errorf("destination %+v", d)
	}
	if r.Retry.Attempts != 2 || !r.Retry.SafeReplay || !r.Retry.AvoidTried {
		t.Errorf("retries %+v, want the built-in policy", r.Retry)
	}
}

// A wildcard is no host: what it covers is asked for by its own name, unless a
// service has endpoints for all names together.
func TestTheDefaultRouteOfAWildcard(t *testing.T) {
	excluded := virtualService("v", "hosts: [\"*.foo.com\"]\nhttp: [{match: [{sourceNamespace: prod}], directResponse: {status: 200}}]")
	entry := func(rest string) string {
		return serviceEntry("s", "hosts: [\"*.foo.com\"]\nports: [{number: 80, name: http, protocol: HTTP}]\n"+rest)
	}
	for _, c := range []struct{ name, document, want string }{
		{"a rule alone", excluded, "a.foo.com"},
		{"resolution NONE", entry("resolution: NONE"), "a.foo.com"},
		{"resolution DYNAMIC_DNS", entry("resolution: DYNAMIC_DNS"), "a.foo.com"},
		{"static endpoints", entry("resolution: STATIC\nendpoints: [{address: 10.0.0.1}]"), "*.foo.com"},
	} {
		if got := cluster(t, compile(t, c.document), "http://a.foo.com/").Key.Host; got != c.want {
			t.Errorf("%s: cluster of %s, want %s", c.name, got, c.want)
		}
	}
}
