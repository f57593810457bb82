package rules_test

import (
	"strings"
	"testing"
)

const dest = "http: [{route: [{destination: {host: a}}]}]"

func TestHostsOfAVirtualService(t *testing.T) {
	wrap := func(hosts string) string { return virtualService("hosts: [" + hosts + "], " + dest) }
	verify(t, wrap, []row{
		{`reviews`, ``},
		{`Reviews`, ``},
		{`reviews.prod`, ``},
		{`a.example.com.`, ``},
		{`"*.example.com"`, ``},
		{`"*foo.example.com"`, ``},
		{`"*-foo.example.com"`, ``},
		{`"1.2.3.4"`, ``},
		{`"2001:db8::1"`, ``},
		{`a.com, b.com`, ``},
		{`"123"`, ``},
		{`"*"`, `invalid spec.hosts[0]: "*"`},
		{`""`, `invalid spec.hosts[0]: empty: want a host name`},
		{`a_b`, `invalid spec.hosts[0]: "a_b": bad label "a_b"`},
		{`-a`, `invalid spec.hosts[0]: bad label "-a"`},
		{`a-`, `invalid spec.hosts[0]: bad label "a-"`},
		{`"a.*.com"`, `invalid spec.hosts[0]: bad label "*"`},
		{`"a*.com"`, `invalid spec.hosts[0]: bad label "a*"`},
		{`a..com`, `invalid spec.hosts[0]: bad label ""`},
		{`"a.123"`, `invalid spec.hosts[0]: the last label "123" is a number`},
		{repeat(63), ``},
		{repeat(64), `invalid spec.hosts[0]: want 1 to 63 letters`},
		{`"` + strings.Repeat("a.", 127) + `aa"`, `invalid spec.hosts[0]: 256 bytes, want at most 255`},
		{`a.com, a.com`, `invalid spec.hosts[1]: "a.com" overlaps with "a.com"`},
		{`a.com, "*.com"`, `invalid spec.hosts[1]: "*.com" overlaps with "a.com"`},
		{`"*.com", a.com`, `invalid spec.hosts[1]: "a.com" overlaps with "*.com"`},
		{`"*.foo.com", "*.com"`, `invalid spec.hosts[1]: "*.com" overlaps with "*.foo.com"`},
		{`"*.foo.com", foo.com`, ``},
		{`a, a.ns.svc.cluster.local`, ``},
	})
}

func TestGatewaysOfAVirtualService(t *testing.T) {
	const idle = `warning spec.gateways: has no effect in a process`
	wrap := func(gateways string) string {
		return virtualService("hosts: [a], gateways: [" + gateways + "], " + dest)
	}
	verify(t, wrap, []row{
		{``, ``},
		{`mesh`, ``},
		{`istio-system/public, mesh`, ``},
		{`mesh, istio-system/public`, ``},
		{`public`, idle},
		{`istio-system/public`, idle},
		{`public.istio-system, mesh`, `warning spec.gateways[0]: want istio-system/public`},
		{`istio_system/public, mesh`, `invalid spec.gateways[0]: bad namespace "istio_system"`},
		{`/public, mesh`, `invalid spec.gateways[0]: bad namespace ""`},
		{`istio-system/, mesh`, `invalid spec.gateways[0]: bad gateway name ""`},
		{`istio-system/a_b, mesh`, `invalid spec.gateways[0]: bad gateway name "a_b"`},
		{`a_b, mesh`, `invalid spec.gateways[0]: bad label "a_b"`},
		{`mesh, a_b`, `warning spec.gateways[1]: bad label "a_b"`}, // Istio looks no further than mesh
	})
}

func TestRoutesOfGatewaysAreLeftToGateways(t *testing.T) {
	const idle = `warning spec.gateways: has no effect in a process`
	verify(t, virtualService, []row{
		{`hosts: ["*"], gateways: [public], ` + dest, idle},
		{`hosts: [a], gateways: [public], http: [{match: [{headers: {"@request.auth.claims.sub": {exact: x}}}], route: [{destination: {host: a}}]}]`, idle},
		{`hosts: [a], gateways: [public], http: [{redirect: {uri: /x, redirectCode: 304}}]`, idle},
		{`hosts: [a], gateways: [public], http: [{timeout: 0s, route: [{destination: {host: a}}]}]`, "invalid spec.http[0].timeout: 0s\n" + idle},
		{`hosts: [outbound_.80_._.a.b], gateways: [public], tls: [{match: [{sniHosts: [outbound_.80_._.a.b]}], route: [{destination: {host: a}}]}]`, idle},
		{`hosts: [outbound_.x], gateways: [public], tls: [{match: [{sniHosts: [a]}], route: [{destination: {host: a}}]}]`,
			"invalid spec.hosts[0]: want outbound_.<port>\ninvalid spec.tls[0].match[0].sniHosts[0]: not covered\n" + idle},
		{`hosts: [outbound_.80_._.a.b], gateways: [public], ` + dest, "invalid spec.hosts[0]: bad label \"outbound_\"\n" + idle},
	})
}

func TestTopLevelOfAVirtualService(t *testing.T) {
	verify(t, virtualService, []row{
		{`hosts: [a]`, `invalid spec: no routes`},
		{`hosts: [a], http: []`, `invalid spec: no routes`},
		{`hosts: [a], http: [null]`, `invalid spec.http[0]: got null`},
		{`hosts: [a], tcp: [{route: [{destination: {host: a}}]}]`, ``},
		{`hosts: [a], http: [{route: [{destination: {host: a}}], timeout: 0s}, {redirect: {}}], exportTo: ["~"]`, `
			invalid spec.http[0].timeout: 0s
			invalid spec.http[1].redirect: empty
			invalid spec.exportTo[0]: "~"
			warning spec.http[1]: never reached`},
	})
}

func TestDelegates(t *testing.T) {
	const unused = `warning spec: no VirtualService of the mesh delegates to it`
	verify(t, virtualService, []row{
		{dest, unused},
		{`hosts: [], ` + dest, unused},
		{`gateways: [mesh], ` + dest, `invalid spec.gateways: 1 gateways: want none` + "\n" + unused},
		{`tcp: [{route: [{destination: {host: a}}]}]`, "invalid spec.tcp: 1 routes: want none\n" + unused},
		{`tls: [{match: [{sniHosts: [a]}], route: [{destination: {host: a}}]}]`, `
			invalid spec.tls: 1 routes: want none
			invalid spec.tls[0].match[0].sniHosts[0]: not covered
			warning spec.tls: has no effect in a process
			` + unused},
		{`http: [{delegate: {name: x}, route: [{destination: {host: a}}]}]`, "invalid spec.http[0].delegate: a delegate cannot delegate\n" + unused},
		{`http: [{delegate: {name: x}}]`, "invalid spec.http[0].delegate: a delegate cannot delegate\ninvalid spec.http[0]: no action\n" + unused},
	})
}

func TestExportTo(t *testing.T) {
	wrap := func(to string) string { return virtualService("hosts: [a], exportTo: [" + to + "], " + dest) }
	rows := []row{
		{``, ``},
		{`.`, ``},
		{`"*"`, ``},
		{`other, "."`, ``},
		{`never-made`, ``},
		{`a, a`, `invalid spec.exportTo[1]: namespace "a" is named twice`},
		{`., ns`, `invalid spec.exportTo[1]: namespace "ns" is named twice`},
		{`ns, .`, `invalid spec.exportTo[1]: namespace "ns" is named twice`},
		{`"*", a`, `invalid spec.exportTo[0]: "*": want it alone`},
		{`., "*"`, `invalid spec.exportTo[1]: "*": want it alone`},
		{`a_b`, `invalid spec.exportTo[0]: "a_b": want ., * or the name of a namespace`},
		{`""`, `invalid spec.exportTo[0]: "": want`},
	}
	verify(t, wrap, append(rows, row{`"~"`, `invalid spec.exportTo[0]: "~"`}))
	verify(t, func(to string) string { return destinationRule("host: a, exportTo: [" + to + "]") },
		append(rows, row{`"~"`, `invalid spec.exportTo[0]: "~"`}))
	verify(t, func(to string) string { return serviceEntry("hosts: [a], exportTo: [" + to + "]") },
		append(rows, row{`"~"`, ``}, row{`"~", a`, `invalid spec.exportTo[0]: "~": want it alone, there are 2`}))
}

func TestAnnotations(t *testing.T) {
	wrap := func(annotation string) string {
		return "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n" +
			"metadata: {name: t, annotations: {" + annotation + "}}\nspec: {host: a}\n"
	}
	verify(t, wrap, []row{
		{`a: b`, ``},
		{`internal.istio.io/webhook-always-reject: "true"`, `invalid metadata.annotations[internal.istio.io/webhook-always-reject]: rejects every object`},
		{`internal.istio.io/parents: x`, `invalid metadata.annotations[internal.istio.io/parents]: rejects every object`},
		{`internal.istio.io/parent-namespace: x`, `invalid metadata.annotations[internal.istio.io/parent-namespace]: rejects every object`},
		{`istio.io/dry-run: "true"`, `invalid metadata.annotations[istio.io/dry-run]: only an AuthorizationPolicy`},
	})
}

func TestUnreachableRoutes(t *testing.T) {
	wrap := func(matches string) string {
		var routes []string
		for _, m := range strings.Split(matches, " ; ") {
			routes = append(routes, "{"+m+", route: [{destination: {host: a}}]}")
		}
		return virtualService("hosts: [a], http: [" + strings.Join(routes, ", ") + "]")
	}
	verify(t, wrap, []row{
		{`match: [{uri: {prefix: /a}}] ; name: rest`, ``},
		{`name: all ; name: rest`, `warning spec.http[1]: never reached: spec.http[0] takes its requests`},
		{`match: [{uri: {prefix: /}}] ; name: rest`, `warning spec.http[1]: never reached: spec.http[0].match[0]`},
		{`match: [{uri: {regex: ".*"}}] ; name: rest`, `warning spec.http[1]: never reached`},
		{`match: [{uri: {}}] ; name: rest`, `warning spec.http[1]: never reached`},
		{`match: [{}] ; match: [{uri: {exact: /a}}]`, `warning spec.http[1]: never reached`},
		{`match: [{uri: {prefix: /}, headers: {a: {}}}] ; name: rest`, ``},
		{`match: [{uri: {prefix: /a}}] ; match: [{uri: {exact: /ab}}]`, `warning spec.http[1]: never reached`},
		{`match: [{uri: {prefix: /a}}] ; match: [{uri: {exact: /b}}]`, ``},
		{`match: [{uri: {exact: /ab}}] ; match: [{uri: {prefix: /a}}]`, ``},
		{`match: [{uri: {exact: /a}, name: x}] ; match: [{uri: {exact: /a}, name: z}]`, `warning spec.http[1]: never reached`},
		{`match: [{uri: {exact: /a}}] ; match: [{uri: {exact: /a}}, {uri: {exact: /b}}]`, `warning spec.http[1].match[0]: never reached: spec.http[0].match[0]`},
		{`match: [{uri: {exact: /a}}, {uri: {exact: /a}}]`, `warning spec.http[0].match[1]: never reached: spec.http[0].match[0]`},
		{`match: [{method: {exact: GET}}] ; match: [{method: {exact: GET}, uri: {exact: /a}}]`, `warning spec.http[1]: never reached`},
		{`match: [{method: {exact: GET}}] ; match: [{method: {exact: POST}}]`, ``},
		{`match: [{uri: {regex: /a}}] ; match: [{uri: {regex: /a}}]`, `warning spec.http[1]: never reached`},
		{`match: [{port: 80}] ; match: [{port: 81}] ; name: rest`, ``},
		{`match: [{sourceLabels: {a: b}}] ; name: rest`, ``},
		{`match: [{sourceNamespace: x}] ; name: rest`, ``},
		{`match: [{sourceNamespace: x}] ; match: [{sourceNamespace: x, sourceLabels: {a: b}}]`, `warning spec.http[1]: never reached`},
		{`match: [{sourceLabels: {a: b}}] ; match: [{sourceLabels: {a: b, c: d}}]`, `warning spec.http[1]: never reached`},
		{`match: [{sourceLabels: {a: b}}] ; match: [{sourceLabels: {a: c}}]`, ``},
		{`match: [{gateways: [mesh]}] ; name: rest`, ``},
		{`match: [{ignoreUriCase: true, uri: {exact: /a}}] ; match: [{uri: {exact: /a}}]`, ``},
		{`match: [{withoutHeaders: {a: {}}}] ; match: [{withoutHeaders: {a: {}, b: {}}}]`, `warning spec.http[1]: never reached`},
		{`match: [{queryParams: {a: {exact: x}}}] ; match: [{queryParams: {a: {exact: z}}}]`, ``},
	})
	// What a delegate does not match goes on to the routes after it.
	verify(t, virtualService, []row{
		{`hosts: [a], http: [{delegate: {name: x}}, {route: [{destination: {host: a}}]}]`, `warning spec.http[0].delegate: the route is dropped`},
	})
}
