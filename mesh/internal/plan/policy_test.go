package plan_test

import (
	"slices"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// limited is a DestinationRule whose maxRequests tells which one holds.
func limited(name, host, requests, more string) string {
	return destinationRule(name, "host: "+host+"\ntrafficPolicy: {connectionPool: {http: {http2MaxRequests: "+requests+"}}}\n"+more)
}

// maxRequests of the cluster that a host's default route goes to; 0 if no rule holds.
func maxRequests(t *testing.T, namespace, host string, documents ...string) uint32 {
	t.Helper()
	return cluster(t, compileFor(t, namespace, documents...), "http://"+host+"/").Limits.MaxRequests
}

func TestWhichDestinationRuleHolds(t *testing.T) {
	const host = "reviews.prod.svc.cluster.local"
	for _, c := range []struct {
		name, client string
		want         uint32
		rules        []string
	}{
		{"none", "default", 0, nil},
		{"the caller's namespace first", "default", 1, []string{
			limited("default/c", host, "1", ""), limited("prod/s", host, "2", ""), limited("istio-system/r", host, "3", "")}},
		{"then the service's", "default", 2, []string{limited("prod/s", host, "2", ""), limited("istio-system/r", host, "3", "")}},
		{"then the root's", "default", 3, []string{limited("istio-system/r", host, "3", "")}},
		{"no other namespace's", "default", 0, []string{limited("other/o", host, "4", "")}},
		{"the most specific host of a namespace", "default", 2, []string{
			limited("default/a", `"*.local"`, "1", ""), limited("default/b", `"*.prod.svc.cluster.local"`, "2", ""), limited("default/c", `"*"`, "3", "")}},
		{"exact before wildcard", "default", 2, []string{limited("default/a", `"*.prod.svc.cluster.local"`, "1", ""), limited("default/b", host, "2", "")}},
		{"a wildcard of the caller's beats an exact rule of the service's", "default", 1, []string{
			limited("default/c", `"*"`, "1", ""), limited("prod/s", host, "2", "")}},
		{"a rule that its own namespace does not see yields to the service's", "default", 2, []string{
			limited("default/c", host, "1", "exportTo: [other]"), limited("prod/s", host, "2", "")}},
		{"one that is not exported to the caller yields to the root's", "default", 3, []string{
			limited("prod/s", host, "2", `exportTo: ["."]`), limited("istio-system/r", host, "3", "")}},
		{"exported by name", "default", 2, []string{limited("prod/s", host, "2", "exportTo: [default]")}},
		{"the less specific is not tried after one that is exported elsewhere", "default", 3, []string{
			limited("prod/a", host, "1", "exportTo: [other]"), limited("prod/b", `"*.prod.svc.cluster.local"`, "2", ""), limited("istio-system/r", host, "3", "")}},
		{"but after one that is private", "default", 2, []string{
			limited("prod/a", host, "1", `exportTo: ["."]`), limited("prod/b", `"*.prod.svc.cluster.local"`, "2", "")}},
		{"of the caller's own rules those that it does not see do not count", "default", 2, []string{
			limited("default/a", host, "1", "exportTo: [other]"), limited("default/b", `"*"`, "2", "")}},
		{"the caller lives with the service", "prod", 2, []string{limited("prod/s", host, "2", `exportTo: ["."]`), limited("istio-system/r", host, "3", "")}},
		{"a caller in the root: its private rules first", "istio-system", 3, []string{
			limited("istio-system/r", host, "3", `exportTo: ["."]`), limited("prod/s", host, "2", "")}},
		{"a caller in the root: the service's before the root's exported", "istio-system", 2, []string{
			limited("istio-system/r", host, "3", ""), limited("prod/s", host, "2", "")}},
		{"a caller in the root: the root's exported", "istio-system", 3, []string{limited("istio-system/r", host, "3", "")}},
	} {
		if got := maxRequests(t, c.client, host, c.rules...); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestTheNamespaceOfAServiceIsThatOfItsEntry(t *testing.T) {
	entry := serviceEntry("shop/s", "hosts: [api.example.com]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: DNS")
	rule := limited("shop/d", "api.example.com", "1", "")
	if got := maxRequests(t, "default", "api.example.com", entry, rule); got != 1 {
		t.Errorf("the rule beside the entry does not hold")
	}
	if got := maxRequests(t, "default", "api.example.com", rule); got != 0 {
		t.Errorf("without the entry the host has no namespace, and the rule holds")
	}
}

func TestTheRootNamespaceCanBeAnother(t *testing.T) {
	set := parse(t, limited("root/d", "a.com", "1", ""))
	p := plan.Compile(set, plan.Options{RootNamespace: "root"})
	if got := cluster(t, p, "http://a.com/").Limits.MaxRequests; got != 1 {
		t.Error("the root's rule does not hold")
	}
}

func TestSelectedCallersPreferTheirRule(t *testing.T) {
	rules := []string{
		created("01", limited("plain", "a.com", "1", `exportTo: ["."]`)),
		created("02", limited("chosen", "a.com", "2", "workloadSelector: {matchLabels: {app: web}}\nexportTo: [\".\"]")),
		limited("prod/far", "b.com", "3", "workloadSelector: {matchLabels: {app: web}}"),
	}
	set := parse(t, rules...)
	for app, want := range map[string]uint32{"web": 2, "db": 1} {
		p := plan.Compile(set, plan.Options{Workload: plan.Workload{Labels: map[string]string{"app": app}}})
		if got := cluster(t, p, "http://a.com/").Limits.MaxRequests; got != want {
			t.Errorf("app %s: %d, want %d", app, got, want)
		}
		if got := cluster(t, p, "http://b.com/").Limits.MaxRequests; got != 0 {
			t.Errorf("app %s: a selector reaches beyond its namespace", app)
		}
	}
}

// What is for selected callers is private; so it is merged with what else is, and
// not with what others see too.
func TestRulesForSelectedCallersStandAlone(t *testing.T) {
	const selector = "workloadSelector: {matchLabels: {app: web}}\n"
	general := created("01", limited("general", "a.com", "1", "subsets: [{name: s1}]"))
	chosen := created("02", destinationRule("chosen", "host: a.com\n"+selector+"subsets: [{name: s2}]"))
	for _, c := range []struct {
		name    string
		rules   []string
		limit   uint32
		subsets []string
	}{
		{"beside a public rule", []string{general, chosen}, 0, []string{"s2"}},
		{"beside a private rule", []string{chosen, created("01", limited("general", "a.com", "1", "exportTo: [\".\"]\nsubsets: [{name: s1}]"))}, 1, []string{"s1", "s2"}},
		{"beside one for the same callers", []string{chosen, created("03", limited("too", "a.com", "3", selector+"subsets: [{name: s3}]"))}, 3, []string{"s2", "s3"}},
		{"beside one for other callers, who are the same", []string{chosen, created("03", limited("too", "a.com", "3", "workloadSelector: {matchLabels: {tier: x}}\nsubsets: [{name: s3}]"))}, 0, []string{"s2"}},
	} {
		p := plan.Compile(parse(t, c.rules...), plan.Options{Workload: plan.Workload{Labels: map[string]string{"app": "web", "tier": "x"}}})
		if got := cluster(t, p, "http://a.com/").Limits.MaxRequests; got != c.limit {
			t.Errorf("%s: limit %d, want %d", c.name, got, c.limit)
		}
		if got := subsets(p, "s1", "s2", "s3"); !slices.Equal(got, c.subsets) {
			t.Errorf("%s: subsets %v, want %v", c.name, got, c.subsets)
		}
	}
}

// Who sees the first of two rules sees both, if the second is exported to the
// same and more; who sees the second alone has no part in the first.
func TestARuleForMoreNamespacesIsMergedForThoseOfTheFirst(t *testing.T) {
	entry := serviceEntry("prod/s", "hosts: [a.com]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: DNS")
	first := created("01", destinationRule("prod/first", "host: a.com\nexportTo: [default]\nsubsets: [{name: s1}]"))
	second := created("02", destinationRule("prod/second", "host: a.com\nexportTo: [default, other]\nsubsets: [{name: s2}]"))
	public := created("03", destinationRule("prod/public", "host: a.com\nsubsets: [{name: s3}]"))
	for namespace, want := range map[string][]string{"default": {"s1", "s2"}, "other": {"s2"}, "third": {"s3"}} {
		p := compileFor(t, namespace, entry, first, second, public)
		if got := subsets(p, "s1", "s2", "s3"); !slices.Equal(got, want) {
			t.Errorf("from %s: subsets %v, want %v", namespace, got, want)
		}
	}
}

// subsets of a.com that exist, of those asked for.
func subsets(p *plan.Plan, names ...string) (out []string) {
	for _, s := range names {
		if p.Cluster(plan.ClusterKey{Host: "a.com", Port: 80, Subset: s}).Missing == "" {
			out = append(out, s)
		}
	}
	return out
}

func TestRulesOfOneHostAndNamespaceAreMerged(t *testing.T) {
	p := compile(t,
		created("01", destinationRule("one", "host: a.com\nsubsets: [{name: s1, labels: {v: one}}]")),
		created("02", limited("two", "a.com", "2", "subsets: [{name: s1, labels: {v: two}}, {name: s2}]")),
		created("03", destinationRule("three", "host: a.com\ntrafficPolicy: {connectionPool: {http: {http2MaxRequests: 3}}, retryBudget: {}}\nsubsets: [{name: s3}]")))
	c := p.Cluster(plan.ClusterKey{Host: "a.com", Port: 80, Subset: "s1"})
	if c.Limits.MaxRequests != 2 || c.Budget != nil {
		t.Errorf("policy %+v, budget %v: the first policy stands whole", c.Limits, c.Budget)
	}
	if c.Labels["v"] != "one" {
		t.Errorf("subset s1 is %v, want the older", c.Labels)
	}
	if got := subsets(p, "s1", "s2", "s3", "s4"); !slices.Equal(got, []string{"s1", "s2", "s3"}) {
		t.Errorf("subsets %v", got)
	}
	if c.Rule.Name != "one" {
		t.Errorf("the rule is called %s", c.Rule.Name)
	}
}

func TestRulesWithOtherExportsStaySeparateAndTheFirstVisibleIsUsed(t *testing.T) {
	entry := serviceEntry("prod/s", "hosts: [a.com]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: DNS")
	hidden := created("01", limited("prod/hidden", "a.com", "1", "exportTo: [other]\nsubsets: [{name: s1}]"))
	shown := created("02", limited("prod/shown", "a.com", "2", "subsets: [{name: s2}]"))
	more := created("03", destinationRule("prod/more", "host: a.com\nexportTo: [\"*\"]\nsubsets: [{name: s3}]"))
	p := compile(t, entry, hidden, shown, more)
	if got := p.Cluster(plan.ClusterKey{Host: "a.com", Port: 80}).Limits.MaxRequests; got != 2 {
		t.Errorf("limit %d, want the visible rule's", got)
	}
	// no exportTo is the same as "*"
	if got := subsets(p, "s1", "s2", "s3"); !slices.Equal(got, []string{"s2", "s3"}) {
		t.Errorf("subsets %v", got)
	}
}

func TestTheOwnNamespaceByNameIsTheDot(t *testing.T) {
	p := compile(t,
		destinationRule("one", "host: a.com\nexportTo: [\".\"]\nsubsets: [{name: s1}]"),
		destinationRule("two", "host: a.com\nexportTo: [default]\nsubsets: [{name: s2}]"))
	if got := subsets(p, "s1", "s2"); !slices.Equal(got, []string{"s1", "s2"}) {
		t.Errorf("subsets %v", got)
	}
}

func TestMergingLeavesTheRulesAlone(t *testing.T) {
	set := parse(t, destinationRule("one", "host: a.com\nsubsets: [{name: s1}]"), destinationRule("two", "host: a.com\nsubsets: [{name: s2}]"))
	plan.Compile(set, plan.Options{})
	if n := len(set.DestinationRules[0].Spec.Subsets); n != 1 {
		t.Errorf("the first rule has %d subsets now", n)
	}
}
