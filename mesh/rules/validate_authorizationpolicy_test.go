package rules_test

import (
	"fmt"
	"strings"
	"testing"

	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// source is an AuthorizationPolicy with one rule for one source of these fields.
func source(fields string) string {
	return authorization("rules: [{from: [{source: {" + fields + "}}]}]")
}

func operation(fields string) string {
	return authorization("rules: [{to: [{operation: {" + fields + "}}]}]")
}

func condition(fields string) string {
	return authorization("rules: [{when: [{" + fields + "}]}]")
}

func TestAuthorizationPolicies(t *testing.T) {
	n := func(n int, what string) string { return many(n, func(int) string { return what }) }
	verify(t, authorization, []row{
		{``, ``},
		{`rules: []`, ``},
		{`rules: [{}]`, ``},
		{`action: ALLOW, rules: [{}]`, ``},
		{`action: AUDIT`, ``},
		{`action: DENY, rules: [{}]`, ``},
		{`action: DENY`, `invalid spec.rules: missing: DENY without rules never acts; to match every request, write [{}]`},
		{`action: DENY, rules: []`, `invalid spec.rules: missing`},
		{`action: CUSTOM, provider: {name: opa}, rules: [{}]`, ``},
		{`action: CUSTOM, provider: {name: opa}`, `invalid spec.rules: missing: CUSTOM without rules`},
		{`action: CUSTOM, rules: [{}]`, `invalid spec.provider.name: missing`},
		{`action: CUSTOM, provider: {}, rules: [{}]`, `invalid spec.provider.name: missing`},
		{`action: CUSTOM`, "invalid spec.rules: missing\ninvalid spec.provider.name: missing"},
		{`provider: {name: opa}`, `invalid spec.provider: beside action ALLOW: want it with CUSTOM only`},
		{`action: DENY, provider: {}, rules: [{}]`, `invalid spec.provider: beside action DENY`},
		{`action: REJECT`, `invalid spec.action: unknown value "REJECT"`},
		{`rules: [null]`, `invalid spec.rules[0]: null`},
		{`rules: [` + n(512, "{}") + `]`, ``},
		{`rules: [` + n(513, "{}") + `]`, `invalid spec.rules: 513 entries: want at most 512`},
		{`rules: [{from: [` + n(513, "{source: {namespaces: [a]}}") + `]}]`, `invalid spec.rules[0].from: 513 entries: want at most 512`},
		{`rules: [{from: []}]`, `warning spec.rules[0].from: an empty list means any source`},
		{`rules: [{to: [], when: []}]`, "warning spec.rules[0].to: any operation\nwarning spec.rules[0].when: no condition"},
		{`rules: [{from: [{}]}]`, `invalid spec.rules[0].from[0].source: missing`},
		{`rules: [{to: [{}]}]`, `invalid spec.rules[0].to[0].operation: missing`},
		{`rules: [{from: [null], to: [null], when: [null]}]`, `
			invalid spec.rules[0].from[0]: null
			invalid spec.rules[0].to[0]: null
			invalid spec.rules[0].when[0]: null`},
		{`rules: [{frm: []}]`, `invalid spec.rules[0].frm: Rule has no field "frm"; did you mean "from"?`},
	})
}

func TestSources(t *testing.T) {
	const at = "spec.rules[0].from[0].source"
	accounts := func(n int) string { return many(n, func(i int) string { return fmt.Sprint("sa", i) }) }
	verify(t, source, []row{
		{`principals: ["cluster.local/ns/a/sa/b", "*", "*/sa/b"], notPrincipals: [x]`, ``},
		{`requestPrincipals: ["*"], notRequestPrincipals: [iss/sub]`, ``},
		{`namespaces: [a, "b*c"], notNamespaces: [d]`, ``},
		{`serviceAccounts: [a, b/c], notServiceAccounts: [d]`, ``},
		{`trustDomains: [cluster.local, "*.example", "td*", "*"], notTrustDomains: [x]`, ``},
		{`ipBlocks: [10.0.0.0/8, 1.2.3.4, "::1", "fd00::/8"], notIpBlocks: [10.1.0.0/16]`, ``},
		{`remoteIpBlocks: [10.0.0.0/8], notRemoteIpBlocks: [1.2.3.4]`, ``},
		{`request_principals: ["*"]`, ``},
		{``, `invalid ` + at + `: empty: want at least one field`},
		{`principals: []`, "invalid " + at + ": empty\nwarning " + at + ".principals: an empty list means any"},
		{`principals: [], namespaces: [a]`, `warning ` + at + `.principals: an empty list means any, as if it were left out`},
		{`principals: [a, ""]`, `invalid ` + at + `.principals[1]: empty: want a value`},
		{`notPrincipals: [""], namespaces: [""], notNamespaces: [""], requestPrincipals: [""], notRequestPrincipals: [""]`, `
			invalid ` + at + `.notPrincipals[0]: empty
			invalid ` + at + `.namespaces[0]: empty
			invalid ` + at + `.notNamespaces[0]: empty
			invalid ` + at + `.requestPrincipals[0]: empty
			invalid ` + at + `.notRequestPrincipals[0]: empty`},
		{`ipBlocks: [a, 10.0.0.0/33, ""], notIpBlocks: [1.2.3], remoteIpBlocks: [1/2/3], notRemoteIpBlocks: [x]`, `
			invalid ` + at + `.ipBlocks[0]: "a": want an IP address or a range
			invalid ` + at + `.ipBlocks[1]: "10.0.0.0/33": want an address range
			invalid ` + at + `.ipBlocks[2]: empty
			invalid ` + at + `.notIpBlocks[0]: "1.2.3"
			invalid ` + at + `.remoteIpBlocks[0]: "1/2/3"
			invalid ` + at + `.notRemoteIpBlocks[0]: "x"`},
		{`serviceAccounts: ["*"]`, `invalid ` + at + `.serviceAccounts[0]: "*": wildcards are not allowed`},
		{`serviceAccounts: [a/b/c, /b, a/, ""]`, `
			invalid ` + at + `.serviceAccounts[0]: "a/b/c": want account or namespace/account
			invalid ` + at + `.serviceAccounts[1]: "/b"
			invalid ` + at + `.serviceAccounts[2]: "a/"
			invalid ` + at + `.serviceAccounts[3]: empty`},
		{`notServiceAccounts: [` + repeat(320) + `, ` + repeat(321) + `]`, `invalid ` + at + `.notServiceAccounts[1]: 321 bytes, want at most 320`},
		{`serviceAccounts: [` + accounts(16) + `]`, ``},
		{`serviceAccounts: [` + accounts(17) + `]`, `invalid ` + at + `.serviceAccounts: 17 entries: want at most 16`},
		{`serviceAccounts: [a], namespaces: [b]`, `invalid ` + at + `.namespaces: beside serviceAccounts`},
		{`notServiceAccounts: [a], notPrincipals: [b], principals: [c], notNamespaces: [d]`, `
			invalid ` + at + `.notPrincipals: beside serviceAccounts
			invalid ` + at + `.principals: beside serviceAccounts
			invalid ` + at + `.notNamespaces: beside serviceAccounts`},
		{`serviceAccounts: [a], trustDomains: [b]`, ``},
		{`trustDomains: ["a*b", "*a*", a/b]`, `
			invalid ` + at + `.trustDomains[0]: "a*b": want at most one *, at the beginning or the end
			invalid ` + at + `.trustDomains[1]: "*a*": want at most one *
			invalid ` + at + `.trustDomains[2]: "a/b": want a trust domain, without /`},
		{`principals: "*"`, `invalid ` + at + `.principals: want a list`},
		{`principal: [a]`, `invalid ` + at + `.principal: did you mean "principals"?`},
	})
}

func TestOperations(t *testing.T) {
	const at = "spec.rules[0].to[0].operation"
	verify(t, operation, []row{
		{`hosts: ["*.com"], notHosts: [a], ports: ["80"], notPorts: ["0", "65535"], methods: [GET], notMethods: [POST], paths: [/a, "/b*", "*"], notPaths: [/c]`, ``},
		{``, `invalid ` + at + `: empty`},
		{`hosts: [""], methods: [""], paths: [""], ports: [""], notHosts: [""], notMethods: [""], notPaths: [""], notPorts: [""]`,
			"invalid " + at + "." + strings.Join(strings.Fields("hosts methods paths ports notHosts notMethods notPaths notPorts"), "[0]: empty\ninvalid "+at+".") + "[0]: empty"},
		{`ports: [http, "65536", "-1"]`, `
			invalid ` + at + `.ports[0]: "http": want 0 to 65535
			invalid ` + at + `.ports[1]: "65536"
			invalid ` + at + `.ports[2]: "-1"`},
		{`ports: [80]`, `invalid ` + at + `.ports[0]: want a string, but unquoted 80 is a number`},
		{`paths: ["/{*}", "/a/{*}/b/{**}", "/{**}", "{**}", "/a/{**}/b", "/a%20b/{*}/", "/a*b/c"]`, ``},
		{`paths: ["/a/{**}/{*}"]`, `invalid ` + at + `.paths[0]: {*} after {**}, which must be the last operator`},
		{`paths: ["/a/{**}/{**}"]`, `invalid ` + at + `.paths[0]: {**} after {**}`},
		{`paths: ["/{foo}", "/a{*}", "/{*}/b}"], notPaths: ["/{}"]`, `
			invalid ` + at + `.paths[0]: segment "{foo}": braces stand for whole segments only
			invalid ` + at + `.paths[1]: segment "a{*}"
			invalid ` + at + `.paths[2]: segment "b}"
			invalid ` + at + `.notPaths[0]: segment "{}"`},
		{`paths: ["/a//{*}", "/a*/{*}", "/a b/{**}"]`, `
			invalid ` + at + `.paths[0]: segment "" of a template
			invalid ` + at + `.paths[1]: segment "a*" of a template
			invalid ` + at + `.paths[2]: segment "a b" of a template`},
	})
}

func TestConditions(t *testing.T) {
	const at = "spec.rules[0].when[0]"
	var valid []row
	for _, key := range []string{
		"request.headers[x-user]", "request.headers[a[b]", "request.auth.claims[a]", "request.auth.claims[a][b.c]",
		"source.namespace", "source.principal", "source.trustDomain", "source.serviceAccount", "request.auth.principal",
		"request.auth.audiences", "request.auth.presenter", "connection.sni",
	} {
		valid = append(valid, row{fmt.Sprintf(`key: %q, values: [x], notValues: [z]`, key), ``})
	}
	verify(t, condition, valid)
	verify(t, condition, []row{
		{`key: source.ip, values: [10.0.0.0/8], notValues: [10.1.2.3]`, ``},
		{`key: remote.ip, values: [10.0.0.1]`, ``},
		{`key: destination.ip, notValues: ["fd00::/8"]`, ``},
		{`key: destination.port, values: ["80"]`, ``},
		{`values: [x]`, `invalid ` + at + `.key: missing: want one of request.headers[name]`},
		{`key: "", values: [x]`, `invalid ` + at + `.key: missing`},
		{`key: source.ip`, `invalid ` + at + `: no values for "source.ip": want values or notValues`},
		{`key: source.ip, values: [], notValues: []`, `invalid ` + at + `: no values`},
		{`key: source.ip, values: [x, ""], notValues: [10.0.0.0/99]`, `
			invalid ` + at + `.values[0]: "x": want an IP address
			invalid ` + at + `.values[1]: empty
			invalid ` + at + `.notValues[0]: "10.0.0.0/99"`},
		{`key: remote.ip, values: [x]`, `invalid ` + at + `.values[0]`},
		{`key: destination.ip, values: [x]`, `invalid ` + at + `.values[0]`},
		{`key: destination.port, values: [http]`, `invalid ` + at + `.values[0]: "http": want 0 to 65535`},
		{`key: source.serviceAccount, values: ["*", a/b/c]`, "invalid " + at + ".values[0]: wildcards\ninvalid " + at + ".values[1]: namespace/account"},
		{`key: source.serviceAccount, values: [` + many(17, func(i int) string { return fmt.Sprint("sa", i) }) + `]`, `invalid ` + at + `.values: 17 entries: want at most 16`},
		{`key: source.trustDomain, values: ["a/b"]`, `invalid ` + at + `.values[0]: without /`},
		{`key: "request.headers[x]", values: [""]`, `invalid ` + at + `.values[0]: empty`},
		{`key: request.headers, values: [x]`, `invalid ` + at + `.key: "request.headers": want a name in brackets`},
		{`key: "request.headers[]", values: [x]`, `invalid ` + at + `.key: want a name in brackets`},
		{`key: "request.headers[a", values: [x]`, `invalid ` + at + `.key: want a name in brackets`},
		{`key: "request.auth.claims", values: [x]`, `invalid ` + at + `.key: want a name in brackets`},
		{`key: "request.headersx[a]", values: [x]`, `refused ` + at + `.key: Istio accepts it, and then drops the whole rule`},
		{`key: "request.auth.claims[a]b[c]", values: [x]`, `refused ` + at + `.key: Istio accepts it, and then drops the whole rule`},
		{`key: "experimental.envoy.filters.a.b[c]", values: [x]`, `refused ` + at + `.key: needs a proxy's filters`},
		{`key: "experimental.envoy.filters.a.b", values: [x]`, `invalid ` + at + `.key: want a name in brackets`},
		{`key: "request.experimental.inline.headers[a]", values: [x]`, `refused ` + at + `.key: needs a proxy's filters`},
		{`key: destination.namespace, values: [x]`, `invalid ` + at + `.key: the policy's own namespace stands for it`},
		{`key: "destination.labels[a]", values: [x]`, `invalid ` + at + `.key: the policy's selector stands for it`},
		{`key: destination.name, values: [x]`, `invalid ` + at + `.key: no such attribute`},
		{`key: destination.user, values: [x]`, `invalid ` + at + `.key: no such attribute`},
		{`key: source.namespaces, values: [x]`, `invalid ` + at + `.key: no such attribute; did you mean "source.namespace"?`},
		{`key: source.ip, value: [1.2.3.4], values: [1.2.3.4]`, `invalid ` + at + `.value: did you mean "values"?`},
	})
}

// CUSTOM decides before the peer and the token are known.
func TestCustomKnowsNoIdentity(t *testing.T) {
	wrap := func(rule string) string {
		return authorization("action: CUSTOM, provider: {name: opa}, rules: [{" + rule + "}]")
	}
	var rows []row
	for _, field := range []string{"principals", "requestPrincipals", "namespaces", "serviceAccounts", "trustDomains"} {
		for _, name := range []string{field, "not" + strings.ToUpper(field[:1]) + field[1:]} {
			rows = append(rows, row{"from: [{source: {" + name + ": [x]}}]",
				"invalid spec.rules[0].from[0].source." + name + ": cannot stand under action CUSTOM"})
		}
	}
	for _, key := range []string{
		"source.namespace", "source.serviceAccount", "source.trustDomain", "source.principal",
		"request.auth.principal", "request.auth.audiences", "request.auth.presenter", "request.auth.claims[x]",
	} {
		rows = append(rows, row{fmt.Sprintf("when: [{key: %q, values: [x]}]", key),
			"invalid spec.rules[0].when[0].key: cannot stand under action CUSTOM"})
	}
	verify(t, wrap, append(rows,
		row{`from: [{source: {ipBlocks: [1.2.3.4], remoteIpBlocks: [1.2.3.4]}}], to: [{operation: {paths: [/a]}}]`, ``},
		row{`when: [{key: "request.headers[x]", values: [x]}, {key: source.ip, values: [1.2.3.4]}]`, ``},
	))
}

func TestSelectorsAndTargets(t *testing.T) {
	const na = `: has no effect in a process: a policy with a target is for gateways and waypoints only`
	for name, wrap := range map[string]func(string) string{"authorization": authorization, "request authentication": requestAuthentication} {
		t.Run(name, func(t *testing.T) {
			verify(t, wrap, []row{
				{`selector: {matchLabels: {app: a}}`, ``},
				{`selector: {}`, `warning spec.selector.matchLabels: it selects every workload`},
				{`selector: {matchLabels: {app: "a*"}}`, `invalid spec.selector.matchLabels[app]: wildcards are not allowed`},
				{`selector: {matchLabels: {"": a}}`, `invalid spec.selector.matchLabels[]: empty key`},
				{`selector: {matchLabels: {app: ` + repeat(64) + `}}`, `invalid spec.selector.matchLabels[app]: 64 bytes: want at most 63`},
				{`targetRef: {kind: Service, name: a}`, `warning spec.targetRef` + na},
				{`targetRefs: [{group: core, kind: Service, name: a}, {group: networking.istio.io, kind: ServiceEntry, name: a}, {group: gateway.networking.k8s.io, kind: Gateway, name: a}, {group: gateway.networking.k8s.io, kind: GatewayClass, name: a}]`, `warning spec.targetRefs` + na},
				{`targetRef: {}`, "warning spec.targetRef" + na + "\ninvalid spec.targetRef: \"core/\"\ninvalid spec.targetRef.name: missing"},
				{`targetRef: {kind: Service, name: a, namespace: b}`, "warning spec.targetRef" + na + "\ninvalid spec.targetRef.namespace: \"b\": want none"},
				{`targetRef: {group: apps, kind: Deployment, name: a}`, "warning spec.targetRef" + na + "\ninvalid spec.targetRef: \"apps/Deployment\""},
				{`selector: {matchLabels: {a: b}}, targetRef: {kind: Service, name: a}`, "warning spec.targetRef" + na + "\ninvalid spec.targetRef: stands beside selector"},
				{`selector: {matchLabels: {a: b}}, targetRefs: []`, `invalid spec.targetRefs: stands beside selector`},
				{`targetRefs: [` + many(17, func(int) string { return "{kind: Service, name: a}" }) + `]`, "warning spec.targetRefs" + na + "\ninvalid spec.targetRefs: 17 entries: want at most 16"},
			})
		})
	}
}

func TestDryRuns(t *testing.T) {
	wrap := func(s string) string {
		annotation, spec, _ := strings.Cut(s, "; ")
		return strings.Replace(authorization(spec), "namespace: ns", "annotations: {istio.io/dry-run: "+annotation+"}", 1)
	}
	const at = "metadata.annotations[istio.io/dry-run]"
	verify(t, wrap, []row{
		{`"true"; action: DENY, rules: [{}]`, ``},
		{`"false"; `, ``},
		{`"1"; `, ``},
		{`"on"; `, `invalid ` + at + `: "on": want true or false`},
		{`""; `, `invalid ` + at + `: "": want true or false`},
		{`"true"; action: AUDIT`, `invalid ` + at + `: "true" beside action AUDIT: want ALLOW or DENY`},
		{`true; `, `invalid ` + at + `: want a string`},
	})
	for value, want := range map[string]bool{`"true"`: true, `"T"`: true, `"false"`: false} {
		set, err := rules.Parse("a.yaml", []byte(wrap(value+"; rules: [{}]")))
		if err != nil || set.AuthorizationPolicies[0].DryRun() != want {
			t.Errorf("%s: %v, want %v", value, err, want)
		}
	}
}

// The API's messages cannot hold the difference between absent and empty lists,
// nor do they to Istio: without rules, ALLOW allows nobody.
func TestAbsentAndEmptyRulesMatchNothingAndAnEmptyRuleEverything(t *testing.T) {
	for spec, want := range map[string]int{"": 0, "rules: null": 0, "rules: []": 0, "rules: [{}]": 1, "rules: [{from: [], to: [], when: []}]": 1} {
		set, err := rules.Parse("a.yaml", []byte(authorization(spec)))
		if err != nil {
			t.Fatal(err)
		}
		p := set.AuthorizationPolicies[0].Spec
		if len(p.Rules) != want || p.Rules != nil != (want > 0) || p.Action != security.AuthorizationPolicy_ALLOW {
			t.Errorf("{%s}: %v", spec, p)
		}
		if want == 1 && (p.Rules[0].From != nil || p.Rules[0].To != nil || p.Rules[0].When != nil) {
			t.Errorf("{%s}: an empty list is no condition: %v", spec, p)
		}
	}
}
