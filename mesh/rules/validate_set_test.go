package rules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// several is some objects, each written as "Kind namespace/name {spec}"; they
// stand in the order of their names, nobody having a creationTimestamp.
func several(objects string) string {
	var b strings.Builder
	for _, o := range strings.Split(objects, "; ") {
		kind, rest, _ := strings.Cut(o, " ")
		id, spec, _ := strings.Cut(rest, " ")
		namespace, name, _ := strings.Cut(id, "/")
		kind = map[string]string{
			"vs": "networking.istio.io/v1\nkind: VirtualService", "dr": "networking.istio.io/v1\nkind: DestinationRule",
			"se": "networking.istio.io/v1\nkind: ServiceEntry", "pa": "security.istio.io/v1\nkind: PeerAuthentication", "te": "telemetry.istio.io/v1\nkind: Telemetry", "rl": "policy.linkerd.io/v1alpha1\nkind: HTTPLocalRateLimitPolicy",
		}[kind]
		fmt.Fprintf(&b, "---\napiVersion: %s\nmetadata: {name: %s, namespace: %s}\nspec: %s\n", kind, name, namespace, spec)
	}
	return b.String()
}

func TestTheSeedFilesHaveOneWarning(t *testing.T) {
	set, err := rules.ParseFiles("testdata/reviews-virtualservice.yaml", "testdata/reviews-destinationrule.yaml")
	if err != nil {
		t.Fatal(err)
	}
	compareFaults(t, `warning spec.http[0].route[0].destination.subset: no DestinationRule of reviews.default.svc.cluster.local defines any subset, so subset v1 means label version: v1, subset v2 means label version: v2 (Istio: 503)`, set.Warnings)
	if got := set.Warnings[0].Line; got != 14 {
		t.Errorf("line = %d, want 14", got)
	}
}

func TestSubsetsThatNobodyDefines(t *testing.T) {
	const vs = "vs ns/v {hosts: [a], http: [{route: [{destination: {host: a, subset: v1}}]}]}; "
	const implied = `warning spec.http[0].route[0].destination.subset: so subset v1 means label version: v1 (Istio: 503)`
	const undefined = `warning spec.http[0].route[0].destination.subset: no DestinationRule of a.ns.svc.cluster.local defines subset "v1": its share of requests fails with 503 (NC)`
	verify(t, several, []row{
		{vs + "dr ns/d {host: a}", implied},
		{vs + "dr ns/d {host: b, subsets: [{name: v1}]}", implied},
		{vs + "dr other/d {host: a, subsets: [{name: v1}]}", implied}, // that is a.other.svc
		{vs + "dr ns/d {host: a, subsets: [{name: v1}]}", ``},
		{vs + "dr ns/d {host: A.ns.svc.cluster.local, subsets: [{name: v1}]}", ``},
		{vs + `dr ns/d {host: "*.svc.cluster.local", subsets: [{name: v1}]}`, ``},
		{vs + `dr other/d {host: "*", subsets: [{name: v1}]}`, ``},
		{vs + "dr ns/d {host: a, subsets: [{name: v2}]}", undefined},
		{vs + "dr ns/d {host: a, subsets: [{name: v2}]}; dr ns/e {host: a, subsets: [{name: v1}]}", ``},
		{"vs ns/v {hosts: [a], http: [{route: [{destination: {host: a, subset: v1}, weight: 1}, {destination: {host: a, subset: v2}, weight: 1}], mirror: {host: b, subset: v3}}]}", `
			warning spec.http[0].route[0].destination.subset: subset v1 means label version: v1, subset v2 means
			warning spec.http[0].mirror.subset: b.ns.svc.cluster.local defines any subset, so subset v3`},
		{"vs ns/v {hosts: [a], http: [{route: [{destination: {host: a}}], mirrors: [{destination: {host: b, subset: v3}}]}]}; dr ns/d {host: b, subsets: [{name: x}]}",
			`warning spec.http[0].mirrors[0].destination.subset: defines subset "v3"`},
		{"vs ns/v {hosts: [a], gateways: [g], http: [{route: [{destination: {host: a, subset: v1}}]}]}", `warning spec.gateways: has no effect`},
	})
}

// What cannot be read is not missing.
func TestNothingIsSaidToBeMissingBesideWhatCannotBeRead(t *testing.T) {
	const subset = "vs ns/v {hosts: [a], http: [{route: [{destination: {host: a, subset: v1}}]}]}"
	const delegate = "vs ns/d {" + dest + "}"
	verify(t, several, []row{
		{subset + "; dr ns/d {host: a, subsets: [{name: v1, label: {}}]}", `invalid spec.subsets[0].label: Subset has no field "label"`},
		{subset + "; vs ns/w {hosts: [b], htp: []}", "invalid spec.htp: VirtualService has no field\nwarning spec.http[0].route[0].destination.subset: no DestinationRule"},
		{delegate + "; vs ns/root {hosts: [a], http: [{delegate: {name: d}, timout: 1s}]}", `invalid spec.http[0].timout: HTTPRoute has no field "timout"`},
		{"vs ns/d {" + dest + ", htp: []}; vs ns/root {hosts: [a], http: [{delegate: {name: d}}]}", `invalid spec.htp: VirtualService has no field`},
	})
}

func TestHostsOfSeveralServiceEntries(t *testing.T) {
	se := func(id, more string) string {
		return fmt.Sprintf("se %s {%s, resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}", id, more)
	}
	const taken = `warning spec.hosts[0]: is a host of ServiceEntry ns/a too: they are not merged, the one that comes first has the host alone`
	verify(t, several, []row{
		{se("ns/a", "hosts: [a.com]") + "; " + se("ns/b", "hosts: [A.com]"), ``},
		{se("ns/a", "hosts: [a.com]") + "; " + se("ns/b", `hosts: [a.com], exportTo: ["*"]`), ``},
		{se("ns/a", "hosts: [a.com]") + "; " + se("ns/b", "hosts: [a.com], exportTo: [x]"), taken},
		{se("ns/a", "hosts: [a.com]") + "; " + se("ns/b", "hosts: [a.com], location: MESH_INTERNAL"), taken},
		{se("ns/a", "hosts: [a.com]") + "; " + se("ns/b", "hosts: [a.com], subjectAltNames: [x]"), taken},
		{se("ns/a", "hosts: [a.com]") + "; " + strings.Replace(se("ns/b", "hosts: [a.com]"), "DNS", "STATIC", 1), taken},
		{se("ns/a", "hosts: [a.com]") + "; " + se("other/b", "hosts: [a.com]"), taken},
		{se("ns/a", "hosts: [a]") + "; " + se("other/b", "hosts: [a]"), ``},
		{se("ns/a", "hosts: [a.com], exportTo: [.]") + "; " + se("other/b", "hosts: [a.com], exportTo: [.]"), ``},
		{se("ns/a", "hosts: [a.com], exportTo: [.]") + "; " + se("other/b", "hosts: [a.com]"), taken},
		{se("ns/a", "hosts: [a.com]") + "; " + se("ns/b", `hosts: [a.com], exportTo: ["~"]`), ``},
		{se("ns/a", "hosts: [a.com]") + "; " + se("ns/b", "hosts: [b.com]"), ``},
	})
}

func TestHostsOfSeveralVirtualServices(t *testing.T) {
	vs := func(id, more string) string { return fmt.Sprintf("vs %s {%s, %s}", id, more, dest) }
	const taken = `warning spec.hosts[0]: they are not merged, the one that comes first has the host alone`
	verify(t, several, []row{
		{vs("ns/a", "hosts: [a]") + "; " + vs("ns/b", "hosts: [a]"), taken},
		{vs("ns/a", "hosts: [a]") + "; " + vs("ns/b", "hosts: [A.ns.svc.cluster.local]"), taken},
		{vs("ns/a", "hosts: [a]") + "; " + vs("other/b", "hosts: [a]"), ``},
		{vs("ns/a", "hosts: [a.com]") + "; " + vs("other/b", "hosts: [a.com]"), taken},
		{vs("ns/a", "hosts: [a.com], exportTo: [.]") + "; " + vs("other/b", "hosts: [a.com], exportTo: [.]"), ``},
		{vs("ns/a", "hosts: [a.com], exportTo: [other]") + "; " + vs("other/b", "hosts: [a.com], exportTo: [.]"), taken},
		{vs("ns/a", "hosts: [a.com], exportTo: [x]") + "; " + vs("other/b", "hosts: [a.com], exportTo: [x]"), taken},
		{vs("ns/a", "hosts: [a.com], exportTo: [x]") + "; " + vs("other/b", "hosts: [a.com], exportTo: [z]"), ``},
		{vs("ns/a", `hosts: [a.com], exportTo: ["*"]`) + "; " + vs("other/b", "hosts: [a.com], exportTo: [z]"), taken},
		{vs("ns/a", "hosts: [a]") + "; " + vs("ns/b", "hosts: [a], gateways: [g]"), `warning spec.gateways: has no effect`},
		{vs("ns/a", "hosts: [a.com]") + "; " + vs("ns/b", `hosts: ["*.com"]`), ``},
		{vs("ns/a", "hosts: [a]") + "; " + vs("ns/b", "hosts: [a]") + "; " + vs("ns/c", "hosts: [a]"), taken + "\n" + taken},
	})
}

func TestMissingDelegates(t *testing.T) {
	root := func(delegate string) string {
		return "vs ns/root {hosts: [a], http: [{delegate: {" + delegate + "}}]}; "
	}
	const missing = `warning spec.http[0].delegate: the route is dropped: there is no VirtualService `
	const unused = `warning spec: has no effect: it has no hosts, and no VirtualService of the mesh delegates to it`
	verify(t, several, []row{
		{root("name: d") + "vs ns/d {" + dest + "}", ``},
		{root("name: d, namespace: other") + "vs other/d {" + dest + "}", ``},
		{root("name: d") + "vs other/d {" + dest + "}", missing + "ns/d\n" + unused},
		{root("name: d") + "vs ns/d {hosts: [b], " + dest + "}", missing + "ns/d"},
		{root("name: d, namespace: other") + "vs other/d {exportTo: [.], " + dest + "}", missing + "other/d"},
		{root("name: d, namespace: other") + "vs other/d {exportTo: [ns], " + dest + "}", ``},
		{root("name: d") + "vs ns/d {exportTo: [.], " + dest + "}", ``},
	})
}

func TestSeveralDestinationRulesOfAHost(t *testing.T) {
	const p, s = "trafficPolicy: {outlierDetection: {}}", "subsets: [{name: v1}]"
	const outdone = `warning spec.exportTo: the whole rule has no effect: all who see it see DestinationRule ns/a, which comes first`
	dr := func(id, more string) string { return fmt.Sprintf("dr %s {%s}", id, more) }
	verify(t, several, []row{
		{dr("ns/a", "host: a, "+p) + "; " + dr("ns/b", "host: a, "+p), `warning spec.trafficPolicy: has no effect: DestinationRule ns/a, which comes first`},
		{dr("ns/a", "host: a, "+s) + "; " + dr("ns/b", "host: a, "+p), ``},
		{dr("ns/a", "host: a, "+s) + "; " + dr("ns/b", "host: a, "+s), `warning spec.subsets[0]: "v1" has no effect: DestinationRule ns/a`},
		{dr("ns/a", "host: a, "+p) + "; " + dr("other/b", "host: a, "+p), ``},
		{dr("ns/a", "host: a, "+p) + "; " + dr("ns/b", "host: a, workloadSelector: {matchLabels: {a: b}}, "+p), ``},
		{dr("ns/a", "host: a, exportTo: [.], "+p) + "; " + dr("ns/b", "host: a, exportTo: [ns], "+p), `warning spec.trafficPolicy: has no effect: DestinationRule ns/a, which comes first`},
		{dr("ns/a", "host: a, exportTo: [.], "+p+", "+s) + "; " + dr("ns/b", "host: a, "+p+", "+s), ``}, // others see b alone
		{dr("ns/a", "host: a, exportTo: [x], "+p) + "; " + dr("ns/b", "host: a, exportTo: [w], "+p), ``},
		{dr("ns/a", "host: a, exportTo: [x, z], "+p) + "; " + dr("ns/b", "host: a, exportTo: [w, z], "+p), ``},
		{dr("ns/a", "host: a") + "; " + dr("ns/b", "host: a, exportTo: [x], "+p+", "+s), outdone},
		{dr("ns/a", "host: a, exportTo: [x, w]") + "; " + dr("ns/b", "host: a, exportTo: [x], "+p), outdone},
		{dr("istio-system/a", "host: a") + "; " + dr("istio-system/b", "host: a, exportTo: [.], "+p), ``},
	})
}

func TestSubsetsOfTCPRoutesAreLookedFor(t *testing.T) {
	set, err := rules.Parse("a.yaml", []byte(strings.ReplaceAll(virtualService(`hosts: [a], tcp: [{route: [{destination: {host: a, subset: v1}}]}]`), "namespace: ns", "namespace: default")))
	if err != nil {
		t.Fatal(err)
	}
	compareFaults(t, `warning spec.tcp[0].route[0].destination.subset: subset v1 means label version: v1`, set.Warnings)
}
