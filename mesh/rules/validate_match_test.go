package rules_test

import "testing"

func TestStringMatches(t *testing.T) {
	const at = "spec.http[0].match[0]."
	rows := func(field string) []row {
		return []row{
			{field + `: {exact: a}`, ``},
			{field + `: {exact: ""}`, ``},
			{field + `: {}`, ``},
			{field + `: {prefix: a}`, ``},
			{field + `: {regex: "a.*"}`, ``},
			{field + `: {prefix: ""}`, `invalid ` + at + field + `.prefix: empty`},
			{field + `: {regex: ""}`, `invalid ` + at + field + `.regex: empty`},
			{field + `: {regex: "("}`, `invalid ` + at + field + `.regex: "(": want RE2 syntax`},
			{field + `: {regex: "*"}`, `invalid ` + at + field + `.regex: want RE2 syntax`},
			{field + `: {exact: a, prefix: b}`, `invalid ` + at + field + `.prefix: only one of`},
		}
	}
	for _, field := range []string{"scheme", "method", "authority"} {
		verify(t, match, rows(field))
	}
	verify(t, match, []row{
		{`uri: {exact: /a}`, ``},
		{`uri: {exact: ""}`, ``},
		{`uri: {prefix: ""}`, ``},
		{`uri: {}`, ``},
		{`uri: {prefix: /a}, ignoreUriCase: true`, ``},
		{`uri: {regex: ` + repeat(1024) + `}`, ``},
		{`uri: {regex: ` + repeat(1200) + `}`, `invalid ` + at + `uri.regex: 1200 bytes: want at most 1024`},
		{`uri: {regex: "(?!a)"}`, `invalid ` + at + `uri.regex: want RE2 syntax`},
		{`uri: {regex: '(a)\1'}`, `invalid ` + at + `uri.regex: want RE2 syntax`},
		{`uri: {regex: ""}`, `invalid ` + at + `uri.regex: empty`},
		{`uri: {regex: "*"}`, `invalid ` + at + `uri.regex: want RE2 syntax`},
	})
}

func TestHeaderMatches(t *testing.T) {
	const headers, without = "spec.http[0].match[0].headers", "spec.http[0].match[0].withoutHeaders"
	verify(t, match, []row{
		{`headers: {x-user: {exact: a}}`, ``},
		{`headers: {x-user: {}}`, ``},
		{`headers: {x-user: {exact: ""}}`, ``},
		{`headers: {"x!#$%&'*+-.^_|~": {}}`, ``},
		{`headers: {":method": {exact: GET}, ":scheme": {}, ":authority": {}, ":path": {}}`, ``},
		{`headers: {":status": {}}`, `warning ` + headers + `[:status]: never matches`},
		{`headers: {":other": {}}`, `invalid ` + headers + `[:other]: want the name of a header`},
		{`headers: {"a b": {}}`, `invalid ` + headers + `[a b]: want the name of a header`},
		{`headers: {"": {}}`, `invalid ` + headers + `[]: empty`},
		{`headers: {x-user: null}`, `invalid ` + headers + `[x-user]: null`},
		{`headers: {x-user: {prefix: ""}}`, `invalid ` + headers + `[x-user].prefix: empty`},
		{`headers: {x-user: {regex: "*"}}`, `invalid ` + headers + `[x-user].regex: RE2`},
		{`headers: {uri: {}}`, `warning ` + headers + `[uri]: "uri" matches a header of that name: to match the uri, write match.uri`},
		{`headers: {scheme: {}}`, `warning ` + headers + `[scheme]: matches a header`},
		{`headers: {method: {}}`, `warning ` + headers + `[method]: matches a header`},
		{`headers: {authority: {}}`, `warning ` + headers + `[authority]: matches a header`},
		{`headers: {"@request.auth.claims.sub": {exact: a}}`, `invalid ` + headers + `[@request.auth.claims.sub]: at gateways only`},
		{`headers: {"@request.auth.claims[a][b]": {exact: a}}`, `invalid ` + headers + `[@request.auth.claims[a][b]]: at gateways only`},
		{`headers: {"@request.auth.claims": {exact: a}}`, `invalid ` + headers + `[@request.auth.claims]: want the name of a header`},
		{`withoutHeaders: {x-user: {}}`, ``},
		{`withoutHeaders: {x-user: {regex: "*"}}`, ``},
		{`withoutHeaders: {x-user: {exact: a}}`, ``},
		{`withoutHeaders: {x-user: {regex: "("}}`, `invalid ` + without + `[x-user].regex: RE2`},
		{`withoutHeaders: {x-user: {prefix: ""}}`, `invalid ` + without + `[x-user].prefix: empty`},
		{`withoutHeaders: {"a b": {}}`, `invalid ` + without + `[a b]: want the name of a header`},
		{`withoutHeaders: {"@request.auth.claims.sub": {}}`, `invalid ` + without + `[@request.auth.claims.sub]: at gateways only`},
		{`queryParams: {q: {exact: a}, r: {}, s: {exact: ""}}`, ``},
		{`queryParams: {q: {prefix: ""}}`, `invalid spec.http[0].match[0].queryParams[q].prefix: empty`},
		{`queryParams: {q: {regex: "*"}}`, `invalid spec.http[0].match[0].queryParams[q].regex: RE2`},
	})
}

func TestSourceMatches(t *testing.T) {
	const at = "spec.http[0].match[0]."
	verify(t, match, []row{
		{`port: 80`, ``},
		{`port: 0`, ``},
		{`port: 65536`, `invalid ` + at + `port: 65536: want 1 to 65535`},
		{`sourceNamespace: prod`, ``},
		{`sourceNamespace: a_b`, `invalid ` + at + `sourceNamespace: "a_b": want the name of a namespace`},
		{`sourceLabels: {}`, ``},
		{`sourceLabels: {app: web, example.com/tier: front, empty: ""}`, ``},
		{`sourceLabels: {"": a}`, `invalid ` + at + `sourceLabels[]: key "": want [prefix/]name`},
		{`sourceLabels: {-a: b}`, `invalid ` + at + `sourceLabels[-a]: key "-a"`},
		{`sourceLabels: {a/b/c: d}`, `invalid ` + at + `sourceLabels[a/b/c]: key`},
		{`sourceLabels: {/a: d}`, `invalid ` + at + `sourceLabels[/a]: key`},
		{`sourceLabels: {a_b/c: d}`, `invalid ` + at + `sourceLabels[a_b/c]: key`},
		{`sourceLabels: {app: "a b"}`, `invalid ` + at + `sourceLabels[app]: value "a b"`},
		{`sourceLabels: {app: ` + repeat(64) + `}`, `invalid ` + at + `sourceLabels[app]: at most 63`},
		{`gateways: [mesh]`, ``},
		{`gateways: [mesh, public]`, ``},
		{`gateways: [public]`, `warning ` + at + `gateways: never matches in a process`},
		{`gateways: [a_b/c]`, "invalid " + at + "gateways[0]: bad namespace\nwarning " + at + "gateways: never matches"},
		{`gateways: [mesh], sourceLabels: {a: b}`, `warning ` + at + `gateways: sourceLabels and sourceNamespace have no effect`},
		{`statPrefix: x`, `warning ` + at + `statPrefix: it names statistics of Envoy`},
		{`name: x`, ``},
	})
	verify(t, forward, []row{{`match: [null]`, `invalid spec.http[0].match[0]: null`}})
}

func TestTLSRoutes(t *testing.T) {
	const later = "\nwarning spec.tls: has no effect in a process"
	wrap := func(r string) string { return virtualService(`hosts: [a.com, "*.b.com", c], tls: [{` + r + `}]`) }
	const to = `route: [{destination: {host: a}}]`
	verify(t, wrap, []row{
		{`match: [{sniHosts: [a.com]}], ` + to, later},
		{`match: [{sniHosts: [x.b.com, "*.b.com", "*.x.b.com"], port: 443, destinationSubnets: [10.0.0.0/8, 1.2.3.4], sourceLabels: {a: b}, gateways: [mesh]}], ` + to, later},
		{to, `invalid spec.tls[0].match: missing` + later},
		{`match: [{sniHosts: [a.com]}]`, `invalid spec.tls[0].route: missing` + later},
		{`match: [{port: 443}], ` + to, `invalid spec.tls[0].match[0].sniHosts: missing` + later},
		{`match: [{sniHosts: [d.com]}], ` + to, `invalid spec.tls[0].match[0].sniHosts[0]: "d.com": not covered by any of spec.hosts` + later},
		{`match: [{sniHosts: [c.ns.svc.cluster.local]}], ` + to, `invalid spec.tls[0].match[0].sniHosts[0]: not covered` + later},
		{`match: [{sniHosts: ["*.com"]}], ` + to, `invalid spec.tls[0].match[0].sniHosts[0]: not covered` + later},
		{`match: [{sniHosts: [1.2.3.4]}], ` + to, `warning spec.tls[0].match[0].sniHosts[0]: "1.2.3.4" never matches` + later},
		{`match: [{sniHosts: [a_b]}], ` + to, `invalid spec.tls[0].match[0].sniHosts[0]: bad label` + later},
		{`match: [{sniHosts: [a.com], port: 70000}], ` + to, `invalid spec.tls[0].match[0].port: 70000: want 1 to 65535` + later},
		{`match: [{sniHosts: [a.com], destinationSubnets: [10.0.0.0/33]}], ` + to, `invalid spec.tls[0].match[0].destinationSubnets[0]: want an address range` + later},
		{`match: [{sniHosts: [a.com], sourceLabels: {-a: b}}], ` + to, `invalid spec.tls[0].match[0].sourceLabels[-a]: key` + later},
		{`match: [{sniHosts: [a.com], gateways: [a_b]}], ` + to, `invalid spec.tls[0].match[0].gateways[0]: bad label` + later},
		{`match: [{sniHosts: [a.com], sourceNamespace: a_b}], ` + to, later},
		{`match: [null], ` + to, `invalid spec.tls[0].match[0]: null`},
		{`match: [{sniHosts: [a.com]}], route: [{destination: {host: "*"}}]`, `invalid spec.tls[0].route[0].destination.host: "*"` + later},
	})
}

func TestTCPRoutes(t *testing.T) {
	wrap := func(r string) string { return virtualService(`hosts: [a], tcp: [{` + r + `}]`) }
	const to = `route: [{destination: {host: a}}]`
	verify(t, wrap, []row{
		{to, ``},
		{`match: [{port: 27017, destinationSubnets: ["2001:db8::/32"], sourceLabels: {a: b}, gateways: [mesh], sourceNamespace: x}], ` + to, ``},
		{`match: [{port: 70000}], ` + to, `invalid spec.tcp[0].match[0].port: 70000`},
		{`match: [{destinationSubnets: [a.com]}], ` + to, `invalid spec.tcp[0].match[0].destinationSubnets[0]: "a.com": want an IP address`},
		{`match: [{sourceSubnet: 10.0.0.0/8}], ` + to, `warning spec.tcp[0].match[0].sourceSubnet: Istio's sidecars do not implement it`},
		{`match: [{sourceLabels: {-a: b}}], ` + to, `invalid spec.tcp[0].match[0].sourceLabels[-a]: key`},
		{`match: [{gateways: [a_b]}], ` + to, `invalid spec.tcp[0].match[0].gateways[0]: bad label`},
		{`match: []`, `invalid spec.tcp[0].route: missing`},
		{`route: [{weight: 1}]`, `invalid spec.tcp[0].route[0].destination: missing`},
		{`route: [{destination: {host: a}, weight: 0}, {destination: {host: b}, weight: 0}]`, `invalid spec.tcp[0].route: add up to 0`},
		{`route: [{destination: {host: a}, weight: -1}]`, `invalid spec.tcp[0].route[0].weight: -1`},
	})
}
