package plan_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parse reads rules, which must be valid.
func parse(t testing.TB, documents ...string) *rules.Set {
	t.Helper()
	set, err := rules.Parse("test.yaml", []byte(strings.Join(documents, "\n---\n")))
	if err != nil {
		t.Fatalf("rules: %v", err)
	}
	return set
}

// rule is an object of a kind, called name or namespace/name, with a spec in
// YAML that is not indented.
func rule(kind, name, spec string) string {
	namespace := ""
	if before, after, ok := strings.Cut(name, "/"); ok {
		namespace, name = ", namespace: "+before, after
	}
	body := strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n  ")
	return "apiVersion: networking.istio.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + namespace + "}\nspec:\n  " + body + "\n"
}

func virtualService(name, spec string) string  { return rule("VirtualService", name, spec) }
func destinationRule(name, spec string) string { return rule("DestinationRule", name, spec) }
func serviceEntry(name, spec string) string    { return rule("ServiceEntry", name, spec) }

// created gives a rule its creation time, a day in January.
func created(day, document string) string {
	return strings.Replace(document, "metadata: {", "metadata: {creationTimestamp: 2026-01-"+day+"T00:00:00Z, ", 1)
}

// compile compiles documents for a workload in the namespace default.
func compile(t testing.TB, documents ...string) *plan.Plan {
	t.Helper()
	return plan.Compile(parse(t, documents...), plan.Options{})
}

// compileFor compiles documents for a workload of a namespace.
func compileFor(t testing.TB, namespace string, documents ...string) *plan.Plan {
	t.Helper()
	return plan.Compile(parse(t, documents...), plan.Options{Workload: plan.Workload{Namespace: namespace}})
}

// get is a GET of a URL such as http://reviews:9080/a?b=c.
func get(url string) *plan.Request {
	scheme, rest, _ := strings.Cut(url, "://")
	authority, path, _ := strings.Cut(rest, "/")
	path, query, _ := strings.Cut("/"+path, "?")
	return &plan.Request{Method: "GET", Scheme: scheme, Authority: authority, Path: path, RawQuery: query}
}

// route finds the route of a GET; nil if none matches.
func route(t testing.TB, p *plan.Plan, url string) *plan.Route {
	t.Helper()
	return routeOf(t, p, get(url))
}

func routeOf(t testing.TB, p *plan.Plan, r *plan.Request) *plan.Route {
	t.Helper()
	target := p.Lookup(r.Authority)
	if target.VirtualHost == nil {
		t.Fatalf("no rule names %s", r.Authority)
	}
	return target.Match(r, target.Port)
}

// owner is the VirtualService that a URL's route belongs to, "default" for the
// default route, "none" if no route matches, "unknown" if no rule names the host.
func owner(p *plan.Plan, url string) string {
	r := get(url)
	target := p.Lookup(r.Authority)
	if target.VirtualHost == nil {
		return "unknown"
	}
	switch route := target.Match(r, target.Port); {
	case route == nil:
		return "none"
	case route.Rule == nil:
		return "default"
	default:
		return route.Rule.Namespace + "/" + route.Rule.Name
	}
}

// cluster is the policy of the first destination of a URL's route.
func cluster(t testing.TB, p *plan.Plan, url string) *plan.Cluster {
	t.Helper()
	r := get(url)
	target := p.Lookup(r.Authority)
	target.Protocol = r.Protocol()
	if target.VirtualHost == nil {
		target.VirtualHost = p.Default(target.Name)
	}
	route := target.Match(r, target.Port)
	if route == nil || len(route.Destinations) == 0 {
		t.Fatalf("%s has no destination", url)
	}
	return p.Cluster(p.Key(&route.Destinations[0], target))
}
