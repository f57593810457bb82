package rules_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestHostsOfAServiceEntry(t *testing.T) {
	wrap := func(hosts string) string { return serviceEntry("hosts: [" + hosts + "]") }
	verify(t, wrap, []row{
		{`a.com`, ``},
		{`short`, ``},
		{`"*.a.com"`, ``},
		{``, `invalid spec.hosts: missing`},
		{`"*"`, `invalid spec.hosts[0]: "*": want a host`},
		{`a_b.com`, `invalid spec.hosts[0]: bad label`},
		{`1.2.3.4`, `invalid spec.hosts[0]: number`},
		{`"*a.com"`, `warning spec.hosts[0]: only part of a label`},
		{many(257, func(i int) string { return fmt.Sprintf("h%d.com", i) }), `invalid spec.hosts: 257 entries: want at most 256`},
	})
	verify(t, serviceEntry, []row{
		{`hosts: ["*a.com"], resolution: DYNAMIC_DNS`, ``},
		{`ports: []`, `invalid spec.hosts: missing`},
	})
}

func TestAddressesOfAServiceEntry(t *testing.T) {
	const later = "\nwarning spec.addresses: looked at by Mesh.DialContext alone"
	verify(t, func(s string) string { return serviceEntry("hosts: [a.com], " + s) }, []row{
		{`addresses: [10.0.0.1, "2001:db8::1"]`, later},
		{`addresses: [10.0.0.0/8]`, later},
		{`addresses: [10.0.0.0/8], resolution: STATIC`, later},
		{`addresses: [10.0.0.0/8], resolution: DNS`, `invalid spec.addresses[0]: a range needs resolution NONE or STATIC, not DNS` + later},
		{`addresses: [10.0.0.0/33]`, `invalid spec.addresses[0]: want an address range` + later},
		{`addresses: [a.com]`, `invalid spec.addresses[0]: want an IP address` + later},
		{`addresses: [` + many(257, func(int) string { return "10.0.0.1" }) + `]`, `invalid spec.addresses: 257 entries` + later},
	})
}

func TestPortsOfAServiceEntry(t *testing.T) {
	wrap := func(p string) string { return serviceEntry("hosts: [a.com], ports: [" + p + "]") }
	verify(t, wrap, []row{
		{``, ``},
		{`{number: 80, name: http, protocol: HTTP, targetPort: 8080}`, ``},
		{`{number: 80, name: http}`, ``},
		{`{number: 80, name: http, protocol: grpc-web}`, ``},
		{`{number: 80, name: HTTP-2, protocol: Http2}, {number: 81, name: m, protocol: MONGO}, {number: 82, name: u, protocol: UDP}`, ``},
		{`{name: http}`, `invalid spec.ports[0].number: 0: want 1 to 65535`},
		{`{number: 65536, name: http}`, `invalid spec.ports[0].number: 65536: want 1 to 65535`},
		{`{number: 80}`, `invalid spec.ports[0].name: "": want 1 to 63`},
		{`{number: 80, name: http_1}`, `invalid spec.ports[0].name: "http_1": want 1 to 63`},
		{`{number: 80, name: a}, {number: 80, name: b}`, `invalid spec.ports[1].number: 80 is the number of ports[0] already`},
		{`{number: 80, name: a}, {number: 81, name: a}`, `invalid spec.ports[1].name: "a" is the name of ports[0] already`},
		{`{number: 80, name: a, protocol: HBONE}`, `invalid spec.ports[0].protocol: "HBONE": want one of HTTP`},
		{`{number: 80, name: a, protocol: SPDY}`, `invalid spec.ports[0].protocol: "SPDY": want one of HTTP`},
		{`{number: 80, name: a, targetPort: 0}`, `invalid spec.ports[0].targetPort: 0: want 1 to 65535`},
		{`{number: 80, name: a, targetPort: 65536}`, `invalid spec.ports[0].targetPort: 65536: want 1 to 65535`},
		{`null`, `invalid spec.ports[0]: null`},
		{many(257, func(i int) string { return fmt.Sprintf("{number: %d, name: p%[1]d}", i+1) }), `invalid spec.ports: 257 entries: want at most 256`},
	})
}

func TestResolutions(t *testing.T) {
	const ip, name = `endpoints: [{address: 1.2.3.4}]`, `endpoints: [{address: b.com}]`
	verify(t, func(s string) string { return serviceEntry("hosts: [a.com], " + s) }, []row{
		{`resolution: NONE`, ``},
		{`resolution: NONE, endpoints: []`, `invalid spec.endpoints: 0 entries: want none with resolution NONE`},
		{`resolution: NONE, ` + ip, `invalid spec.endpoints: 1 entries: want none with resolution NONE`},
		{`resolution: STATIC`, ``},
		{`resolution: STATIC, ` + ip, ``},
		{`resolution: STATIC, endpoints: [{address: "2001:db8::1"}]`, ``},
		{`resolution: STATIC, ` + name, `invalid spec.endpoints[0].address: "b.com": want an IP address with resolution STATIC`},
		{`resolution: STATIC, endpoints: [{address: "a_b"}]`, `invalid spec.endpoints[0].address: bad label`},
		{`resolution: STATIC, endpoints: [{}]`, `invalid spec.endpoints[0].address: missing`},
		{`resolution: STATIC, endpoints: [null]`, `invalid spec.endpoints[0]: null`},
		{`resolution: DNS`, ``},
		{`resolution: DNS, ` + ip, ``},
		{`resolution: DNS, ` + name, ``},
		{`resolution: DNS, endpoints: [{address: b.com}, {address: c.com}]`, ``},
		{`resolution: DNS, endpoints: [{network: x}]`, "invalid spec.endpoints[0].address: want a host name or an IP address with resolution DNS\nwarning spec.endpoints[0].address: gateway\nwarning spec.endpoints[0].network: gateway"},
		{`resolution: DNS_ROUND_ROBIN`, ``},
		{`resolution: DNS_ROUND_ROBIN, ` + name, ``},
		{`resolution: DNS_ROUND_ROBIN, endpoints: [{address: b.com}, {address: c.com}]`, `invalid spec.endpoints: 2 entries: want at most 1`},
		{`resolution: DYNAMIC_DNS`, `invalid spec.hosts[0]: "a.com": want a wildcard with resolution DYNAMIC_DNS`},
		{`resolution: SOMETIMES`, `invalid spec.resolution: SOMETIMES`},
		{`location: MESH_INTERNAL, resolution: STATIC, subjectAltNames: ["spiffe://cluster.local/ns/a/sa/b"]`, ``},
		{`resolution: STATIC, endpoints: [` + many(4097, func(int) string { return "{address: 1.2.3.4}" }) + `]`, `invalid spec.endpoints: 4097 entries: want at most 4096`},
	})
	verify(t, serviceEntry, []row{
		{`hosts: ["*.a.com"], resolution: DNS`, `invalid spec.hosts[0]: "*.a.com" cannot be looked up`},
		{`hosts: ["5"], resolution: DNS`, `invalid spec.hosts[0]: "5": the last label "5" is a number, want a host name`},
		{`hosts: ["5"], resolution: STATIC`, ``},
		{`hosts: ["*.a.com"], resolution: DNS, ` + name, ``},
		{`hosts: ["*.a.com"], resolution: NONE`, ``},
		{`hosts: ["*.a.com"], resolution: DYNAMIC_DNS, ports: [{number: 443, name: tls, protocol: TLS}, {number: 80, name: http, protocol: HTTP}]`, ``},
		{`hosts: ["*.a.com"], resolution: DYNAMIC_DNS, ports: [{number: 1, name: a, protocol: TCP}]`, `invalid spec.ports[0].protocol: "TCP": want HTTP, HTTP2, GRPC or TLS`},
		{`hosts: ["*.a.com"], resolution: DYNAMIC_DNS, ` + ip, `invalid spec.endpoints: 1 entries: want none with resolution DYNAMIC_DNS`},
		{`hosts: ["*.a.com"], resolution: DYNAMIC_DNS, addresses: [10.0.0.1]`, "invalid spec.addresses: 1 entries: want none\nwarning spec.addresses: looked at by Mesh.DialContext alone"},
	})
}

func TestSeveralHostsOfAServiceEntry(t *testing.T) {
	wrap := func(s string) string { return serviceEntry("hosts: [a.com, b.com], " + s) }
	verify(t, wrap, []row{
		{`resolution: STATIC, ports: [{number: 80, name: a, protocol: HTTP}, {number: 443, name: b, protocol: TLS}, {number: 81, name: c, protocol: GRPC}]`, ``},
		{`resolution: STATIC, ports: [{number: 80, name: a, protocol: TCP}]`, `invalid spec.ports[0].protocol: "TCP" with 2 hosts`},
		{`resolution: DNS, ports: [{number: 80, name: a}]`, `invalid spec.ports[0].protocol: "" with 2 hosts`},
		{`resolution: NONE, ports: [{number: 80, name: a, protocol: TCP}]`, ``},
	})
}

func TestEndpoints(t *testing.T) {
	const at = "spec.endpoints[0]"
	wrap := func(e string) string {
		return serviceEntry("hosts: [a.com], resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], endpoints: [{" + e + "}]")
	}
	verify(t, wrap, []row{
		{`address: 1.2.3.4, ports: {http: 8080}, labels: {version: v1}, locality: r/z/s, weight: 3, serviceAccount: sa`, ``},
		{`address: 1.2.3.4, ports: {grpc: 8080}`, `invalid ` + at + `.ports[grpc]: the service has no port of this name`},
		{`address: 1.2.3.4, ports: {http: 0}`, `invalid ` + at + `.ports[http]: 0: want 1 to 65535`},
		{`address: 1.2.3.4, ports: {http: 65536}`, `invalid ` + at + `.ports[http]: 65536: want 1 to 65535`},
		{`address: "unix:///run/a.sock"`, ``},
		{`address: "unix://@abstract"`, ``},
		{`address: "unix:///run/a.sock", ports: {http: 80}`, `invalid ` + at + `.ports: 1 ports of a Unix socket`},
		{`address: "unix://run/a.sock"`, `invalid ` + at + `.address: want the absolute path`},
		{`address: "unix:///run/"`, `invalid ` + at + `.address: not a directory`},
		{`address: "unix://"`, `invalid ` + at + `.address: want the absolute path`},
		{`address: 1.2.3.4, network: other`, `warning ` + at + `.network: network`},
	})
	verify(t, serviceEntry, []row{
		{`hosts: [a.com], resolution: STATIC, endpoints: [{address: "unix:///a"}]`, `invalid ` + at + `.address: with 0 service ports: want exactly 1`},
		{`hosts: [a.com], resolution: STATIC, ports: [{number: 80, name: a}, {number: 81, name: b}], endpoints: [{address: "unix:///a"}]`, `invalid ` + at + `.address: with 2 service ports`},
		{`hosts: [a.com], resolution: DNS, ports: [{number: 80, name: a}], endpoints: [{address: "unix:///a"}]`, `invalid ` + at + `.address: a socket needs resolution STATIC`},
	})
}

func TestWorkloadSelectorOfAServiceEntry(t *testing.T) {
	wrap := func(s string) string { return serviceEntry("hosts: [a.com], resolution: STATIC, " + s) }
	const at = "spec.workloadSelector"
	verify(t, wrap, []row{
		{`workloadSelector: {labels: {app: web}}`, ``},
		{`workloadSelector: {}`, `warning ` + at + `: no labels`},
		{`workloadSelector: {labels: {app: "*"}}`, `invalid ` + at + `[app]: wildcards`},
		{`workloadSelector: {labels: {"": a}}`, `invalid ` + at + `[]: empty key`},
		{`workloadSelector: {labels: {app: ` + repeat(64) + `}}`, `invalid ` + at + `[app]: 64 bytes`},
		{`workloadSelector: {labels: {` + many(257, func(i int) string { return fmt.Sprintf("l%d: x", i) }) + `}}`, `invalid ` + at + `: 257 labels: want at most 256`},
		{`workloadSelector: {labels: {app: web}}, endpoints: [{address: 1.2.3.4}]`, `invalid spec.endpoints: 1 entries beside workloadSelector`},
	})
	verify(t, serviceEntry, []row{
		{`hosts: [a.com], workloadSelector: {labels: {app: web}}`, `warning ` + at + `: resolution NONE: want STATIC`},
		{`hosts: [a.com], resolution: DNS, workloadSelector: {labels: {app: web}}`, `warning ` + at + `: resolution DNS: want STATIC`},
	})
}

func TestWorkloadEntries(t *testing.T) {
	verify(t, workloadEntry, []row{
		{`address: 1.2.3.4`, ``},
		{`address: a.com`, ``},
		{`address: "unix:///run/a.sock"`, ``},
		{``, `invalid spec.address: missing`},
		{`network: other`, "warning spec.address: reached only through a gateway of network \"other\"\nwarning spec.network: gateway"},
		{`address: a_b`, `invalid spec.address: bad label`},
		{`address: "*.a.com"`, `invalid spec.address: bad label "*"`},
		{`address: "unix://a"`, `invalid spec.address: want the absolute path`},
		{`address: "unix:///a", ports: {}`, `invalid spec.ports: 0 ports of a Unix socket`},
		{`address: "unix:///a", ports: {http: 80}`, `invalid spec.ports: 1 ports of a Unix socket: want none`},
		{`address: 1.2.3.4, ports: {http: 80}`, ``},
		{`address: 1.2.3.4, ports: {` + repeat(62) + `: 80}`, ``},
		{`address: 1.2.3.4, ports: {` + repeat(63) + `: 80}`, `invalid spec.ports[` + strings.Repeat("x", 63) + `]: 63 bytes: want at most 62`},
		{`address: 1.2.3.4, ports: {http_1: 80}`, `invalid spec.ports[http_1]: "http_1": want 1 to 63`},
		{`address: 1.2.3.4, ports: {http: 0}`, `invalid spec.ports[http]: 0: want 1 to 65535`},
		{`address: 1.2.3.4, weight: 0`, `warning spec.weight: 0 counts as not written: it is 1`},
		{`address: 1.2.3.4, weight: -1`, `invalid spec.weight: -1`},
		{`address: 1.2.3.4, labels: {-a: b}`, `invalid spec.labels[-a]: key`},
		{`address: 1.2.3.4, labels: {security.istio.io/tlsMode: istio}`, ``},
		{`address: 1.2.3.4, labels: {security.istio.io/tlsMode: on-off}`, `warning spec.labels[security.istio.io/tlsMode]: counts as disabled`},
		{`address: 1.2.3.4, locality: ` + repeat(2049), `invalid spec.locality: 2049 bytes, want at most 2048`},
		{`address: 1.2.3.4, serviceAccount: ` + repeat(254), `invalid spec.serviceAccount: 254 bytes, want at most 253`},
		{`address: 1.2.3.4, network: ` + repeat(2049), "invalid spec.network: 2049 bytes, want at most 2048\nwarning spec.network: gateway"},
		{`address: 1.2.3.4, ports: {` + many(129, func(i int) string { return fmt.Sprintf("p%d: 80", i) }) + `}`, `invalid spec.ports: 129 entries: want at most 128`},
		{`address: 1.2.3.4, labels: {` + many(257, func(i int) string { return fmt.Sprintf("l%d: x", i) }) + `}`, `invalid spec.labels: 257 entries: want at most 256`},
		{`address: "unix:///` + strings.Repeat("x", 250) + `"`, `invalid spec.address: 258 bytes, want at most 256`},
	})
}
