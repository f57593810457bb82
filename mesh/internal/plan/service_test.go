package plan_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// endpoints lists address, weight, locality and version of a cluster's service.
func endpoints(c *plan.Cluster) string {
	var out []string
	for _, e := range c.Service.Endpoints(c.Key.Host, c.Key.Port) {
		out = append(out, strings.TrimRight(fmt.Sprintf("%s %d %s%s", e.Address, e.Weight, e.Labels["version"], e.Locality.Region), " "))
	}
	return strings.Join(out, ", ")
}

func TestEndpointsByResolution(t *testing.T) {
	const port = "ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]\n"
	for _, c := range []struct {
		name, spec, want      string
		resolves, passthrough bool
	}{
		{"static", "resolution: STATIC\nendpoints: [{address: 10.0.0.1}, {address: 10.0.0.2, weight: 3, labels: {version: v2}, locality: r/z}]",
			"10.0.0.1:8080 0, 10.0.0.2:8080 3 v2r", false, false},
		{"static, none written", "resolution: STATIC", "", false, false},
		{"static, a locality of more than three parts", "resolution: STATIC\nendpoints: [{address: 10.0.0.1, locality: r/z/s/rack}]", "10.0.0.1:8080 0 r", false, false},
		{"static, a port by name", "resolution: STATIC\nendpoints: [{address: 10.0.0.1, ports: {http: 9}}]", "10.0.0.1:9 0", false, false},
		{"static, IPv6", "resolution: STATIC\nendpoints: [{address: \"fd00::1\"}]", "[fd00::1]:8080 0", false, false},
		{"static, a socket", "resolution: STATIC\nendpoints: [{address: \"unix:///s\"}]", "unix:///s 0", false, false},
		{"static, behind a gateway", "resolution: STATIC\nendpoints: [{address: 10.0.0.1, network: net}, {network: net}]", "", false, false},
		{"DNS, by its own name", "resolution: DNS", "a.com:8080 0", true, false},
		{"DNS, by other names", "resolution: DNS\nendpoints: [{address: x.com}, {address: 10.0.0.1, ports: {http: 9}}]", "x.com:8080 0, 10.0.0.1:9 0", true, false},
		{"DNS_ROUND_ROBIN", "resolution: DNS_ROUND_ROBIN", "a.com:8080 0", false, false},
		{"DNS_ROUND_ROBIN by another name", "resolution: DNS_ROUND_ROBIN\nendpoints: [{address: x.com}]", "x.com:8080 0", false, false},
		{"none", "resolution: NONE", "a.com:8080 0", false, true},
	} {
		got := cluster(t, compile(t, serviceEntry("s", "hosts: [a.com]\n"+port+c.spec)), "http://a.com/")
		if s := endpoints(got); s != c.want {
			t.Errorf("%s: %q, want %q", c.name, s, c.want)
		}
		if got.Service.Resolves() != c.resolves || got.Passthrough != c.passthrough {
			t.Errorf("%s: looks up %v, passes through %v", c.name, got.Service.Resolves(), got.Passthrough)
		}
	}
}

func TestAWildcardServiceIsTheHostThatIsAskedFor(t *testing.T) {
	for resolution, want := range map[string]string{"DYNAMIC_DNS": "x.foo.com:80 0", "NONE": "x.foo.com:80 0"} {
		p := compile(t, serviceEntry("s", "hosts: [\"*.foo.com\"]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: "+resolution))
		c := cluster(t, p, "http://x.foo.com/")
		if c.Key.Host != "x.foo.com" || endpoints(c) != want {
			t.Errorf("%s: %v, endpoints %s", resolution, c.Key, endpoints(c))
		}
	}
}

func TestWorkloadEntriesAreEndpointsOfTheServiceThatSelectsThem(t *testing.T) {
	workload := func(name, spec string) string { return rule("WorkloadEntry", name, spec) }
	labelled := strings.Replace(workload("d", "address: 10.0.0.4\nlabels: {app: db, version: spec}"), "metadata: {", "metadata: {labels: {app: web, version: meta}, ", 1)
	p := compile(t,
		serviceEntry("s", "hosts: [a.com]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: STATIC\nworkloadSelector: {labels: {app: web}}"),
		workload("a", "address: 10.0.0.1\nlabels: {app: web, version: v1}\nweight: 2\nports: {http: 8080}"),
		workload("b", "address: 10.0.0.2\nlabels: {app: db}"),
		workload("other/c", "address: 10.0.0.3\nlabels: {app: web}"),
		labelled)
	if got, want := endpoints(cluster(t, p, "http://a.com/")), "10.0.0.1:8080 2 v1, 10.0.0.4:80 0 meta"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAServiceThatSelectsNobodyHasNoEndpoints(t *testing.T) {
	p := compile(t, serviceEntry("s", "hosts: [a.com]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: DNS\nworkloadSelector: {labels: {app: web}}"))
	if got := endpoints(cluster(t, p, "http://a.com/")); got != "" {
		t.Errorf("endpoints %s", got)
	}
}

func TestAnEntryWithoutPortsTakesTheRequests(t *testing.T) {
	p := compile(t, serviceEntry("s", "hosts: [a.com]\nresolution: STATIC\nendpoints: [{address: 10.0.0.1}]"))
	for url, want := range map[string]string{"http://a.com/": "10.0.0.1:80 0", "http://a.com:81/": "10.0.0.1:81 0"} {
		if got := endpoints(cluster(t, p, url)); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

func TestShortNamesOfServicesWorkOffKubernetes(t *testing.T) {
	p := compile(t, serviceEntry("prod/s", "hosts: [reviews]\nports: [{number: 9080, name: http, protocol: HTTP}]\nresolution: STATIC\nendpoints: [{address: 10.0.0.1}]"))
	for _, url := range []string{"http://reviews.prod/", "http://reviews.prod.svc.cluster.local/", "http://reviews.prod:9080/"} {
		if got := endpoints(cluster(t, p, url)); got != "10.0.0.1:9080 0" {
			t.Errorf("%s: endpoints %s", url, got)
		}
	}
}

// In DNS a short name means what the machine says, not a service of Kubernetes.
func TestAShortNameIsLookedUpAsItIsWritten(t *testing.T) {
	for _, resolution := range []string{"DNS", "DNS_ROUND_ROBIN", "NONE"} {
		p := compile(t, serviceEntry("prod/s", "hosts: [Redis, a.com]\nports: [{number: 6379, name: tcp, protocol: HTTP}]\nresolution: "+resolution))
		for url, want := range map[string]string{"http://redis.prod/": "redis:6379", "http://a.com/": "a.com:6379"} {
			c := cluster(t, p, url)
			if got := endpoints(c); got != want+" 0" {
				t.Errorf("%s: %s: endpoints %s, want %s", resolution, url, got, want)
			}
			if got := c.Original().Address; c.Passthrough && got != want {
				t.Errorf("%s: %s: dials %s, want %s", resolution, url, got, want)
			}
		}
	}
}

func TestTheFirstEntryOfAHostCounts(t *testing.T) {
	const spec = "hosts: [a.com]\nresolution: STATIC\nports: [{number: 80, name: http, protocol: HTTP}]\nendpoints: [{address: "
	p := compile(t, created("02", serviceEntry("other/x", spec+"10.0.0.2}]")), created("01", serviceEntry("z", spec+"10.0.0.1}]")))
	if got := endpoints(cluster(t, p, "http://a.com/")); got != "10.0.0.1:80 0" {
		t.Errorf("endpoints %s", got)
	}
}

// Istio's canMergeServices: entries of one host make one service, of whose ports each
// has the endpoints of those that have it.
func TestEntriesOfOneNamespaceForOneHostMakeOneService(t *testing.T) {
	entry := func(name, ports, more string) string {
		return serviceEntry(name, "hosts: [a.com]\nresolution: STATIC\nports: ["+ports+"]\n"+more)
	}
	const (
		http  = "{number: 80, name: http, protocol: HTTP}"
		admin = "{number: 81, name: admin, protocol: HTTP, targetPort: 8081}"
		first = "endpoints: [{address: 10.0.0.1}]\naddresses: [240.0.0.1]"
		other = "endpoints: [{address: 10.0.0.2}]\naddresses: [240.0.0.2]"
	)
	for _, c := range []struct{ name, second, plain, admin string }{
		{"other ports", entry("b", admin, other), "10.0.0.1:80 0", "10.0.0.2:8081 0"},
		{"one port more", entry("b", http+", "+admin, other), "10.0.0.1:80 0, 10.0.0.2:80 0", "10.0.0.2:8081 0"},
		{"for all by another word", entry("b", admin, other+"\nexportTo: [\"*\"]"), "10.0.0.1:80 0", "10.0.0.2:8081 0"},
		{"in another namespace", entry("other/b", admin, other), "10.0.0.1:80 0", ""},
		{"for other namespaces", entry("b", admin, other+"\nexportTo: [x]"), "10.0.0.1:80 0", ""},
		{"of the mesh", entry("b", admin, other+"\nlocation: MESH_INTERNAL"), "10.0.0.1:80 0", ""},
		{"that trust other names", entry("b", admin, other+"\nsubjectAltNames: [x]"), "10.0.0.1:80 0", ""},
		{"with another resolution", strings.Replace(entry("b", admin, other), "STATIC", "DNS", 1), "10.0.0.1:80 0", ""},
	} {
		p := compile(t, created("01", entry("a", http, first)), created("02", c.second))
		plain, admin := cluster(t, p, "http://a.com:80/"), cluster(t, p, "http://a.com:81/")
		if got := endpoints(plain); got != c.plain || plain.Missing != "" {
			t.Errorf("%s: port 80: %s %s, want %s", c.name, got, plain.Missing, c.plain)
		}
		if got := endpoints(admin); got != c.admin || (admin.Missing == "") != (c.admin != "") {
			t.Errorf("%s: port 81: %q %s, want %q", c.name, got, admin.Missing, c.admin)
		}
		at := p.LookupAddress(netip.MustParseAddrPort("240.0.0.2:81"))
		if got := at.Name; c.admin != "" && got != "a.com" {
			t.Errorf("%s: 240.0.0.2:81 is %s, want a.com", c.name, got)
		}
	}
}

// Of a service with the ports of the one alone, the other would have no endpoint.
func TestAnEntryThatTakesAnyPortIsNotMergedWithOneThatDoesNot(t *testing.T) {
	entry := func(name, ports, address string) string {
		return serviceEntry(name, "hosts: [a.com]\nresolution: STATIC\nports: ["+ports+"]\nendpoints: [{address: "+address+"}]")
	}
	p := compile(t, created("01", entry("a", "", "10.0.0.1")), created("02", entry("b", "{number: 80, name: http, protocol: HTTP}", "10.0.0.2")))
	for url, want := range map[string]string{"http://a.com/": "10.0.0.1:80 0", "http://a.com:81/": "10.0.0.1:81 0"} {
		if got := endpoints(cluster(t, p, url)); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
	p = compile(t, created("01", entry("a", "", "10.0.0.1")), created("02", entry("b", "", "10.0.0.2")))
	if got := endpoints(cluster(t, p, "http://a.com:81/")); got != "10.0.0.1:81 0, 10.0.0.2:81 0" {
		t.Errorf("two that take any: %s", got)
	}
}

func TestANameOfSeveralEntriesIsLookedUpOnce(t *testing.T) {
	const spec = "hosts: [a.com]\nresolution: DNS\nports: [{number: 80, name: http, protocol: HTTP}]"
	if got := endpoints(cluster(t, compile(t, serviceEntry("a", spec), serviceEntry("b", spec)), "http://a.com/")); got != "a.com:80 0" {
		t.Errorf("endpoints %s", got)
	}
}

// What fails at one address says nothing of others; that two entries list it makes it
// no other.
func TestAHostPassedThroughToIsEjectedIfItHasOneAddress(t *testing.T) {
	const none = "hosts: [a.com]\nresolution: NONE\n"
	const http, admin = "ports: [{number: 80, name: http, protocol: HTTP}]\n", "ports: [{number: 81, name: admin, protocol: HTTP}]\n"
	policy := destinationRule("d", "host: a.com\ntrafficPolicy: {outlierDetection: {}}")
	for addresses, want := range map[string]bool{"240.0.0.1": true, "240.0.0.2": false, "240.0.0.0/24": false} {
		p := compile(t, policy, serviceEntry("a", none+http+"addresses: [240.0.0.1]"), serviceEntry("b", none+admin+"addresses: ["+addresses+"]"))
		if got := cluster(t, p, "http://a.com:80/").Outlier.Enabled; got != want {
			t.Errorf("240.0.0.1 and %s: outlier detection is on: %v, want %v", addresses, got, want)
		}
	}
}

// Nobody takes a host over by exporting an entry for it: what is for the caller's
// namespace comes before what is for all, as in Istio, however old that is.
func TestAnEntryForTheOwnNamespaceComesBeforeAPublicOne(t *testing.T) {
	spec := func(address, exportTo string) string {
		return "hosts: [a.com]\nresolution: STATIC\nports: [{number: 80, name: http, protocol: HTTP}]\nendpoints: [{address: " + address + "}]\nexportTo: [" + exportTo + "]"
	}
	public := created("01", serviceEntry("other/public", spec("10.0.0.1", `"*"`)))
	named := created("02", serviceEntry("other/named", spec("10.0.0.2", "default, third")))
	private := created("03", serviceEntry("private", spec("10.0.0.3", ".")))
	hidden := created("01", serviceEntry("other/hidden", spec("10.0.0.4", ".")))
	for _, c := range []struct {
		name, want string
		entries    []string
	}{
		{"private", "10.0.0.3:80 0", []string{public, named, private, hidden}},
		{"by name", "10.0.0.2:80 0", []string{public, named, hidden}},
		{"public", "10.0.0.1:80 0", []string{public, hidden}},
	} {
		if got := endpoints(cluster(t, compile(t, c.entries...), "http://a.com/")); got != c.want {
			t.Errorf("%s: endpoints %s, want %s", c.name, got, c.want)
		}
	}
}

func TestWildcardServicesHoldUnderMoreSpecificRules(t *testing.T) {
	service := serviceEntry("s", "hosts: [\"*.foo.com\"]\nports: [{number: 9080, name: web, protocol: HTTP}]\nresolution: STATIC\nendpoints: [{address: 10.0.0.1}]")
	for _, host := range []string{`"*.bar.foo.com"`, "x.bar.foo.com"} {
		p := compile(t, service, virtualService("v", "hosts: ["+host+"]\nhttp: [{match: [{port: 9080}], route: [{destination: {host: x.bar.foo.com}}]}]"))
		if got := owner(p, "http://x.bar.foo.com/"); got != "default/v" {
			t.Errorf("%s: %s: the port of the service is not known", host, got)
		}
		if got := endpoints(cluster(t, p, "http://x.bar.foo.com/")); got != "10.0.0.1:9080 0" {
			t.Errorf("%s: endpoints %q", host, got)
		}
	}
}

const (
	onePort  = "ports: [{number: 9080, name: web, protocol: HTTP}]\n"
	twoPorts = "ports: [{number: 9090, name: grpc, protocol: GRPC}, {number: 9080, name: http, protocol: HTTP}]\n"
	unnamed  = "ports: [{number: 9090, name: grpc, protocol: GRPC}, {number: 9080, name: web, protocol: HTTP}]\n"
	external = "ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: https, protocol: HTTPS}]\n"
	tasks    = "ports: [{number: 443, name: https-port, protocol: HTTPS}, {number: 80, name: http-port, protocol: HTTP}]\n"
	others   = "ports: [{number: 80, name: http-old, protocol: HTTP}, {number: 8443, name: https, protocol: HTTPS}, {number: 8080, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]\n"
)

// A URL without a port means the service's only port, or its port named like the
// scheme, or the scheme's own; a written port means what Istio says.
func TestPorts(t *testing.T) {
	const has = " has ports 9090, 9080, none of which is named http or is 80: write one in the URL or in destination.port"
	for _, c := range []struct{ name, ports, url, want string }{
		{"the only port", onePort, "http://a.com/", "9080"},
		{"the port named http", twoPorts, "http://a.com/", "9080"},
		{"none named http", unnamed, "http://a.com/", "0: a.com" + has},
		{"the written port", twoPorts, "http://a.com:9090/", "9090"},
		{"a port that there is not", onePort, "http://a.com:80/", "80: a.com has no port 80, only 9080: write destination.port"},
		{"https means no other port than the only one", onePort, "https://a.com/", "9080"},
		{"http beside https", external, "http://a.com/", "80"},
		{"https beside http", external, "https://a.com/", "443"},
		{"the number of http", tasks, "http://a.com/", "80"},
		{"the number of https", tasks, "https://a.com/", "443"},
		{"the name before the number of http", others, "http://a.com/", "8080"},
		{"the name before the number of https", others, "https://a.com/", "8443"},
		{"https where there is http alone", twoPorts, "https://a.com/", "9080"},
	} {
		p := compile(t, serviceEntry("s", "hosts: [a.com]\nresolution: DNS\n"+c.ports))
		got := cluster(t, p, c.url)
		s := fmt.Sprint(got.Key.Port)
		if got.Missing != "" {
			s += ": " + got.Missing
		}
		if s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

// A gRPC target without a port is for a port that speaks gRPC, if there is one.
func TestPortsOfCallsByGRPC(t *testing.T) {
	for _, c := range []struct {
		name, ports string
		want        uint16
	}{
		{"the only port", onePort, 9080},
		{"the port of gRPC", twoPorts, 9090},
		{"declared, whatever its name", unnamed, 9090},
		{"named, whatever it is declared", "ports: [{number: 80, name: http, protocol: HTTP}, {number: 9090, name: grpc, protocol: HTTP2}]", 9090},
		{"none", external, 80},
	} {
		p := compile(t, serviceEntry("s", "hosts: [a.com]\nresolution: DNS\n"+c.ports))
		r := &plan.Request{Scheme: "http", Authority: "a.com", LowerKeys: true}
		target := p.Lookup(r.Authority)
		target.Protocol = r.Protocol()
		if got := p.Key(&target.Match(r, 0).Destinations[0], target).Port; got != c.want || target.PortOf(r, 0) != c.want {
			t.Errorf("%s: the call goes to %d, and is matched as for %d; want %d", c.name, got, target.PortOf(r, 0), c.want)
		}
	}
}

// Who looks for the instances of a service asks for no port.
func TestAServiceLivesSomewhereWhicheverItsPortsAre(t *testing.T) {
	entry := "hosts: [a.com]\nresolution: STATIC\nendpoints: [{address: 10.0.0.1}]\n"
	for ports, want := range map[string]string{unnamed: "10.0.0.1:9090 0", external: "10.0.0.1:80 0", "": "10.0.0.1:80 0"} {
		if got := endpoints(compile(t, serviceEntry("s", entry+ports)).ClusterOf("a.com", "default")); got != want {
			t.Errorf("%sendpoints %s, want %s", ports, got, want)
		}
	}
}

func TestThePortOfADestination(t *testing.T) {
	const entries = "resolution: DNS\n"
	a := serviceEntry("a", "hosts: [a.com]\n"+entries+onePort)
	b := serviceEntry("b", "hosts: [b.com]\n"+entries+"ports: [{number: 8080, name: web, protocol: HTTP}]")
	for _, c := range []struct{ name, destination, url, want string }{
		{"written in the rule", "host: b.com, port: {number: 8080}", "http://a.com:9080/", "8080"},
		{"written in the URL: Istio's, which there is not", "host: b.com", "http://a.com:9080/", "9080: b.com has no port 9080, only 8080: write destination.port"},
		{"written nowhere: the destination's own", "host: b.com", "http://a.com/", "8080"},
		{"written in the rule, and there is not", "host: b.com, port: {number: 1}", "http://a.com/", "1: b.com has no port 1, only 8080: write destination.port"},
		{"a destination that nobody describes", "host: c.com", "http://a.com:81/", "81"},
	} {
		p := compile(t, a, b, virtualService("v", "hosts: [a.com]\nhttp: [{route: [{destination: {"+c.destination+"}}]}]"))
		got := cluster(t, p, c.url)
		s := fmt.Sprint(got.Key.Port)
		if got.Missing != "" {
			s += ": " + got.Missing
		}
		if s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

func TestAMatchOfThePortMeansThePortThatIsAddressed(t *testing.T) {
	p := compile(t,
		serviceEntry("s", "hosts: [a.com]\nresolution: DNS\n"+twoPorts),
		virtualService("v", `
hosts: [a.com, b.com]
http:
- {name: grpc, match: [{port: 9090}], route: [{destination: {host: x.com}}]}
- {name: web, match: [{port: 9080}], route: [{destination: {host: x.com}}]}
- {name: plain, match: [{port: 80}], route: [{destination: {host: x.com}}]}
- {name: secure, match: [{port: 443}], route: [{destination: {host: x.com}}]}`))
	for url, want := range map[string]string{
		"http://a.com/": "web", "http://a.com:9090/": "grpc", "http://a.com:80/": "plain", "https://a.com/": "web",
		"http://b.com/": "plain", "https://b.com/": "secure", "http://b.com:9080/": "web", "http://b.com:1/": "default",
	} {
		if got := route(t, p, url).Name; got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

func TestClustersAreNamedAsInIstio(t *testing.T) {
	k := plan.ClusterKey{Host: "reviews.default.svc.cluster.local", Port: 9080, Subset: "v1"}
	if got, want := k.String(), "outbound|9080|v1|reviews.default.svc.cluster.local"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestADiscoverySourceIsAskedForNameAndNamespace(t *testing.T) {
	p := plan.Compile(&rules.Set{}, plan.Options{})
	for host, want := range map[string]string{
		"reviews.prod.svc.cluster.local": "reviews prod 80",
		"api.example.com":                "api.example.com  80",
		"a.b.c.svc.cluster.local":        "a.b.c.svc.cluster.local  80",
	} {
		s := p.Cluster(plan.ClusterKey{Host: host, Port: 80}).Discovery
		if got := fmt.Sprint(s.Name, " ", s.Namespace, " ", s.Port); got != want || s.Host != host {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}
