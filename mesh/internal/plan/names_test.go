package plan_test

import (
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// answers is a VirtualService that gives every request of its hosts an answer.
func answers(name, hosts string) string {
	return virtualService(name, "hosts: ["+hosts+"]\nhttp: [{directResponse: {status: 200}}]")
}

func TestAServiceIsKnownByItsSpellings(t *testing.T) {
	for _, c := range []struct{ namespace, authority, want string }{
		{"prod", "reviews", "prod/v"},
		{"prod", "reviews:9080", "prod/v"},
		{"prod", "REVIEWS", "prod/v"},
		{"prod", "reviews.prod", "prod/v"},
		{"prod", "reviews.prod.svc", "prod/v"},
		{"prod", "reviews.prod.svc.cluster.local", "prod/v"},
		{"prod", "reviews.prod.svc.cluster.local.", "prod/v"},
		{"prod", "Reviews.Prod.svc.cluster.local.:80", "prod/v"},
		{"prod", "reviews.prod.svc.cluster", "unknown"},
		{"prod", "reviews.other", "unknown"},
		{"default", "reviews", "unknown"}, // the short name is the own namespace's
		{"default", "reviews.prod", "prod/v"},
		{"default", "reviews.prod.svc.cluster.local", "prod/v"},
	} {
		p := compileFor(t, c.namespace, answers("prod/v", "reviews"))
		if got := owner(p, "http://"+c.authority+"/"); got != c.want {
			t.Errorf("%s from namespace %s: %s, want %s", c.authority, c.namespace, got, c.want)
		}
	}
}

func TestAShortNameMeansTheNamespaceOfTheRule(t *testing.T) {
	p := compile(t, virtualService("prod/v", "hosts: [reviews]\nhttp: [{route: [{destination: {host: ratings}}]}]"))
	d := route(t, p, "http://reviews.prod/").Destinations[0]
	if want := "ratings.prod.svc.cluster.local"; d.Host != want {
		t.Errorf("destination %s, want %s", d.Host, want)
	}
}

func TestANameWithADotIsLeftAlone(t *testing.T) {
	p := compile(t, answers("v", "reviews.prod"))
	for url, want := range map[string]string{
		"http://reviews.prod/":                   "default/v",
		"http://reviews.prod.svc.cluster.local/": "unknown",
	} {
		if got := owner(p, url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

func TestALiteralHostBeatsTheShortFormOfAnother(t *testing.T) {
	p := compile(t, answers("short", "reviews.prod.svc.cluster.local"), answers("literal", "reviews.prod"))
	if got := owner(p, "http://reviews.prod/"); got != "default/literal" {
		t.Errorf("reviews.prod belongs to %s", got)
	}
}

func TestTheDomainOfTheClusterCanBeAnother(t *testing.T) {
	set := parse(t, answers("v", "reviews"))
	p := plan.Compile(set, plan.Options{Domain: "mesh.example"})
	if got := p.Lookup("reviews").Name; got != "reviews.default.svc.mesh.example" {
		t.Errorf("reviews is %s", got)
	}
}

func TestAddressesAreHosts(t *testing.T) {
	p := compile(t, answers("v4", "10.0.0.1"), answers("v6", `"fd00::1"`))
	for authority, want := range map[string]string{
		"10.0.0.1":       "default/v4",
		"10.0.0.1:8080":  "default/v4",
		"10.0.0.2":       "unknown",
		"[fd00::1]":      "default/v6",
		"[fd00::1]:8080": "default/v6",
		"[fd00::2]:8080": "unknown",
	} {
		if got := owner(p, "http://"+authority+"/"); got != want {
			t.Errorf("%s: %s, want %s", authority, got, want)
		}
	}
}

func TestAnUnknownHostKeepsItsNameAndPort(t *testing.T) {
	p := compile(t)
	for authority, want := range map[string]plan.Target{
		"reviews":           {Name: "reviews.default.svc.cluster.local"},
		"Example.COM.:8080": {Name: "example.com", Port: 8080},
		"10.0.0.1:80":       {Name: "10.0.0.1", Port: 80},
		"example.com:99999": {Name: "example.com:99999"}, // no port
	} {
		if got := p.Lookup(authority); got != want {
			t.Errorf("%s: %+v, want %+v", authority, got, want)
		}
	}
}

func TestWildcardsCoverAnyDepthAndTheLongestWins(t *testing.T) {
	p := compile(t,
		answers("com", `"*.com"`), answers("foo", `"*.foo.com"`), answers("bar", `"*.bar.foo.com"`),
		answers("part", `"*-x.org"`), answers("exact", "a.foo.com"), answers("cluster", `"*.prod.svc.cluster.local"`))
	for host, want := range map[string]string{
		"foo.com":                        "default/com", // "`*.foo.com` does not match `foo.com`"
		"com":                            "unknown",
		"b.foo.com":                      "default/foo",
		"B.Foo.Com":                      "default/foo",
		"a.foo.com":                      "default/exact",
		"a.b.c.foo.com":                  "default/foo",
		"a.bar.foo.com":                  "default/bar",
		"bar.foo.com":                    "default/foo",
		"a-x.org":                        "default/part",
		"-x.org":                         "unknown",
		"x.org":                          "unknown",
		"reviews.prod.svc.cluster.local": "default/cluster",
	} {
		if got := owner(p, "http://"+host+"/"); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}

func TestAWildcardCoversShortNamesOfTheOwnNamespace(t *testing.T) {
	p := compileFor(t, "prod", answers("v", `"*.prod.svc.cluster.local"`))
	if got := owner(p, "http://reviews/"); got != "default/v" {
		t.Errorf("reviews belongs to %s", got)
	}
}

func TestKnownTellsHostsThatRulesName(t *testing.T) {
	p := compile(t,
		answers("v", "reviews"), answers("w", `"*.foo.com"`),
		destinationRule("d", "host: ratings"),
		serviceEntry("s", "hosts: [api.example.com]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: DNS"))
	for name, want := range map[string]bool{
		"reviews": true, "Reviews.default.svc.cluster.local.": true, "ratings": true, "api.example.com": true,
		"a.foo.com": false, "details": false,
	} {
		if got := p.Known(name); got != want {
			t.Errorf("Known(%s) = %v", name, got)
		}
	}
}

func TestAPartialWildcardWithoutADotIsAShortName(t *testing.T) {
	p := compile(t, answers("v", `"*views"`))
	if got := owner(p, "http://reviews/"); got != "default/v" {
		t.Errorf("reviews belongs to %s", got)
	}
}
