package rules_test

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestRateLimits(t *testing.T) {
	const over = "spec.overrides[0]"
	verify(t, rateLimit, []row{
		{`total: {requestsPerSecond: 100}`, ``},
		{`total: {requestsPerSecond: 100}, identity: {requestsPerSecond: 100}, overrides: [{requestsPerSecond: 100, clientRefs: [{kind: ServiceAccount, namespace: a, name: b}, {group: core, kind: ServiceAccount, name: c}, {group: "", kind: ServiceAccount, name: d}]}]`, ``},
		{`identity: {requestsPerSecond: 4294967295}`, ``},
		{``, `warning spec: limits nothing`},
		{`total: {}`, `invalid spec.total.requestsPerSecond: 0: want 1 or more`},
		{`total: {requestsPerSecond: 0}, identity: {requestsPerSecond: 0}`, "invalid spec.total.requestsPerSecond: 0\ninvalid spec.identity.requestsPerSecond: 0"},
		{`total: {requestsPerSecond: -1}`, `invalid spec.total.requestsPerSecond: want a whole number from 0 to 4294967295, got -1`},
		{`total: {requestsPerSecond: 1.5}`, `invalid spec.total.requestsPerSecond: got 1.5`},
		{`total: {requestsPerSecond: "100"}`, `invalid spec.total.requestsPerSecond: want a whole number, got "100"`},
		{`total: {requests_per_second: 100}`, `invalid spec.total.requests_per_second: RateLimitBound has no field "requests_per_second"; did you mean "requestsPerSecond"?`},
		{`total: 100`, `invalid spec.total: want a mapping (RateLimitBound), got 100`},
		{`total: {requestsPerSecond: 1, requestsPerSecond: 2}`, `invalid spec.total.requestsPerSecond: written twice`},
		{`total: {requestsPerSecond: 100}, identity: {requestsPerSecond: 101}`, `invalid spec.identity.requestsPerSecond: 101: want at most spec.total.requestsPerSecond, 100`},
		{`total: {requestsPerSecond: 100}, overrides: [{requestsPerSecond: 101, clientRefs: [{kind: ServiceAccount, name: a}]}]`, `invalid ` + over + `.requestsPerSecond: 101: want at most`},
		{`overrides: []`, `warning spec: limits nothing`},
		{`overrides: [null]`, `invalid ` + over + `: null`},
		{`overrides: [{}]`, "invalid " + over + ".requestsPerSecond: 0\ninvalid " + over + ".clientRefs: missing"},
		{`overrides: [{requestsPerSecond: 1, clientRefs: []}]`, `warning ` + over + `.clientRefs: no clients`},
		{`overrides: [{requestsPerSecond: 1, clientRefs: [{name: a}]}]`, `invalid ` + over + `.clientRefs[0]: "/": want kind ServiceAccount`},
		{`overrides: [{requestsPerSecond: 1, clientRefs: [{kind: Pod, name: a}, {group: apps, kind: ServiceAccount, name: a}]}]`, "invalid " + over + ".clientRefs[0]: \"/Pod\"\ninvalid " + over + ".clientRefs[1]: \"apps/ServiceAccount\""},
		{`overrides: [{requestsPerSecond: 1, clientRefs: [{kind: ServiceAccount}]}]`, `invalid ` + over + `.clientRefs[0].name: missing`},
		{`overrides: [{requestsPerSecond: 1, clientRefs: [{kind: ServiceAccount, name: a}]}, {requestsPerSecond: 2, clientRefs: [{kind: ServiceAccount, namespace: ns, name: a}]}]`,
			`warning ` + over + `.clientRefs[0]: has no effect: spec.overrides[1].clientRefs[0] is for this client too, and the later counts`},
		{`targetref: {}`, `invalid spec.targetref: did you mean "targetRef"?`},
	})
}

func TestTargetsOfRateLimits(t *testing.T) {
	wrap := func(target string) string {
		return object("policy.linkerd.io/v1alpha1", "HTTPLocalRateLimitPolicy", "total: {requestsPerSecond: 1}"+target)
	}
	const at = "spec.targetRef"
	verify(t, wrap, []row{
		{`, targetRef: {group: policy.linkerd.io, kind: Server, name: a}`, ``},
		{`, targetRef: {group: policy.linkerd.io, kind: HTTPRoute, name: default}`, ``},
		{`, targetRef: {group: gateway.networking.k8s.io, kind: HTTPRoute, name: default}`, ``},
		{``, `invalid ` + at + `: missing`},
		{`, targetRef: null`, `invalid ` + at + `: missing`},
		{`, targetRef: {kind: Server, name: a}`, `invalid ` + at + `: "/Server": want one of`},
		{`, targetRef: {group: policy.linkerd.io, kind: Service, name: a}`, `invalid ` + at + `: "policy.linkerd.io/Service"`},
		{`, targetRef: {group: policy.linkerd.io, kind: Server}`, `invalid ` + at + `.name: missing`},
	})
}

func TestOfTwoRateLimitsForOneTargetTheFirstCounts(t *testing.T) {
	limit := func(kind string) string {
		return "{targetRef: {group: policy.linkerd.io, kind: " + kind + ", name: s}, total: {requestsPerSecond: 1}}"
	}
	verify(t, several, []row{
		{"rl ns/b " + limit("Server") + "; rl ns/a " + limit("Server"), `warning spec.targetRef: has no effect: HTTPLocalRateLimitPolicy ns/a, which comes first, is for the same Server`},
		{"rl ns/b " + limit("Server") + "; rl ns/a " + limit("HTTPRoute"), `warning spec.targetRef.name: "s" has no effect: no VirtualService of the mesh has a route of this name`},
		{"rl ns/b " + limit("Server") + "; rl other/a " + limit("Server"), ``},
	})
}

func TestRateLimitsForRoutesThatThereAreNot(t *testing.T) {
	const to = "route: [{destination: {host: a}}]}"
	services := "vs ns/a {hosts: [a], http: [{name: one, match: [{port: 1}], " + to + ", {match: [{port: 2}], " + to + ", {name: root, delegate: {name: d}}]}; " +
		"vs ns/d {http: [{name: leaf, " + to + "]}; vs ns/g {hosts: [g], gateways: [g], http: [{name: theirs, " + to + "]}; "
	for name, known := range map[string]bool{"one": true, `"spec.http[1]"`: true, "root-leaf": true, "default": true,
		"root": false, "leaf": false, "theirs": false, "onne": false} {
		want := "warning spec.gateways: has no effect"
		if !known {
			want += "\nwarning spec.targetRef.name: " + strconv.Quote(name) + " has no effect: no VirtualService of the mesh has a route of this name"
		}
		verify(t, several, []row{{services + "rl other/r {targetRef: {group: policy.linkerd.io, kind: HTTPRoute, name: " + name + "}, total: {requestsPerSecond: 1}}", want}})
	}
}

func TestRateLimitsAreDecodedWhole(t *testing.T) {
	set, err := rules.Parse("a.json", []byte(strings.TrimSpace(`
		{"apiVersion": "policy.linkerd.io/v1alpha1", "kind": "HTTPLocalRateLimitPolicy", "metadata": {"name": "a"},
		 "spec": {"targetRef": {"group": "policy.linkerd.io", "kind": "Server", "name": "web"},
		  "total": {"requestsPerSecond": 100}, "identity": {"requestsPerSecond": 1e1},
		  "overrides": [{"requestsPerSecond": 25, "clientRefs": [{"kind": "ServiceAccount", "namespace": "n", "name": "c"}]}]},
		 "status": {"conditions": []}}`)))
	if err != nil {
		t.Fatal(err)
	}
	want := &rules.RateLimit{
		TargetRef: rules.RateLimitTarget{Group: "policy.linkerd.io", Kind: "Server", Name: "web"},
		Total:     &rules.RateLimitBound{RequestsPerSecond: 100}, Identity: &rules.RateLimitBound{RequestsPerSecond: 10},
		Overrides: []rules.RateLimitOverride{{RequestsPerSecond: 25, ClientRefs: []rules.RateLimitClient{{Kind: "ServiceAccount", Namespace: "n", Name: "c"}}}},
	}
	if got := set.RateLimitPolicies[0].Spec; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}
