package plan_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/tlsid"
)

func peerAuthentication(name, spec string) string {
	return strings.Replace(rule("PeerAuthentication", name, spec), "networking.istio.io", "security.istio.io", 1)
}

// tlsOf is the TLS of a.com:80, subset s, under a rule with a policy and a policy
// of the subset.
func tlsOf(t *testing.T, top, subset string) plan.TLS {
	t.Helper()
	spec := "host: a.com\n"
	if top != "" {
		spec += "trafficPolicy: {" + top + "}\n"
	}
	policy := ""
	if subset != "" {
		policy = ", trafficPolicy: {" + subset + "}"
	}
	p := compile(t, destinationRule("d", spec+"subsets: [{name: s, labels: {v: a}"+policy+"}]"))
	return p.Cluster(plan.ClusterKey{Host: "a.com", Port: 80, Subset: "s"}).TLS
}

// A mode left out is DISABLE; a block is replaced as a whole.
func TestTLSByLevel(t *testing.T) {
	const simple, pool = "tls: {mode: SIMPLE, sni: x.com}", "connectionPool: {tcp: {maxConnections: 1}}"
	port := func(n int, blocks string) string {
		return fmt.Sprintf("portLevelSettings: [{port: {number: %d}, %s}]", n, blocks)
	}
	for _, c := range []struct{ name, top, subset, want string }{
		{"nothing written", "", "", "auto "},
		{"another block", pool, "", "auto "},
		{"an empty block", "tls: {}", "", "DISABLE "},
		{"top", simple, "", "SIMPLE x.com"},
		{"port", simple + ", " + port(80, "tls: {mode: ISTIO_MUTUAL}"), "", "ISTIO_MUTUAL "},
		{"another port", simple + ", " + port(81, "tls: {mode: ISTIO_MUTUAL}"), "", "SIMPLE x.com"},
		{"port without tls", simple + ", " + port(80, pool), "", "auto "},
		{"subset", simple, "tls: {mode: ISTIO_MUTUAL}", "ISTIO_MUTUAL "},
		{"subset without tls", simple, pool, "SIMPLE x.com"},
		{"subset over port", port(80, simple), "tls: {mode: DISABLE}", "DISABLE "},
		{"subset's port", simple, "tls: {}, " + port(80, "tls: {mode: ISTIO_MUTUAL}"), "ISTIO_MUTUAL "},
		{"subset's port without tls", simple, "tls: {}, " + port(80, pool), "auto "},
	} {
		got := tlsOf(t, c.top, c.subset)
		if s := got.Mode.String() + " " + got.SNI; s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

// Each mode keeps what it looks at, and nothing else.
func TestTLSSettings(t *testing.T) {
	for _, c := range []struct {
		written string
		want    plan.TLS
	}{
		{"mode: DISABLE, sni: x", plan.TLS{Mode: plan.TLSDisable}},
		{"mode: SIMPLE", plan.TLS{Mode: plan.TLSSimple}},
		{"mode: SIMPLE, caCertificates: system", plan.TLS{Mode: plan.TLSSimple}},
		{"mode: SIMPLE, sni: x, caCertificates: /ca, caCrl: /crl, subjectAltNames: [a, b]", plan.TLS{Mode: plan.TLSSimple, SNI: "x", CA: "/ca", CRL: "/crl", SANs: []string{"a", "b"}}},
		{"mode: SIMPLE, insecureSkipVerify: true", plan.TLS{Mode: plan.TLSSimple, Insecure: true}},
		{"mode: SIMPLE, clientCertificate: /c, privateKey: /k", plan.TLS{Mode: plan.TLSSimple}},
		{"mode: MUTUAL, clientCertificate: /c, privateKey: /k", plan.TLS{Mode: plan.TLSMutual, Certificate: "/c", Key: "/k"}},
		{"mode: ISTIO_MUTUAL, sni: x, caCertificates: /ca, clientCertificate: /c, privateKey: /k", plan.TLS{Mode: plan.TLSIstio, SNI: "x"}},
	} {
		if got := tlsOf(t, "tls: {"+c.written+"}", ""); !got.Equal(&c.want) || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.written, got, c.want)
		}
	}
}

func TestNamesOfAServiceEntryStandInForThoseOfARule(t *testing.T) {
	entry := serviceEntry("s", "hosts: [a.com]\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: DNS\nsubjectAltNames: [from.entry]")
	for tls, want := range map[string]string{
		"":                          "[from.entry]",
		"tls: {mode: SIMPLE}":       "[from.entry]",
		"tls: {mode: ISTIO_MUTUAL}": "[from.entry]",
		"tls: {mode: DISABLE}":      "[]",
		"tls: {mode: SIMPLE, subjectAltNames: [from.rule]}": "[from.rule]",
	} {
		p := compile(t, entry, destinationRule("d", "host: a.com\ntrafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}, "+tls+"}"))
		if got := fmt.Sprint(p.Cluster(plan.ClusterKey{Host: "a.com", Port: 80}).TLS.SANs); got != want {
			t.Errorf("%s: %s, want %s", tls, got, want)
		}
	}
}

const account = "spiffe://cluster.local/ns/default/sa/reviews"

// The rows of Istio's table of auto mTLS, in its order: the first that holds
// decides.
func TestWhoSpeaksMutualTLS(t *testing.T) {
	const host = "reviews.default.svc.cluster.local"
	off := peerAuthentication("never", "mtls: {mode: DISABLE}")
	onePort := peerAuthentication("never", "selector: {matchLabels: {app: reviews}}\nportLevelMtls: {8080: {mode: DISABLE}}")
	tls := func(mode string) string {
		return destinationRule("d", "host: reviews\ntrafficPolicy: {tls: {mode: "+mode+"}}")
	}
	named := destinationRule("d", "host: reviews\ntrafficPolicy: {tls: {mode: ISTIO_MUTUAL, subjectAltNames: [x]}}")
	entry := func(location string) string {
		return serviceEntry("s", "hosts: [reviews]\nlocation: "+location+"\nports: [{number: 80, name: http, protocol: HTTP}]\nresolution: STATIC")
	}
	istio := map[string]string{"security.istio.io/tlsMode": "istio", "app": "reviews"}
	for _, c := range []struct {
		name      string
		documents []string
		endpoint  discovery.Endpoint
		identity  bool // the workload's own
		want      string
	}{
		{"nothing says otherwise", nil, discovery.Endpoint{Identity: account}, true, account},
		{"no identity of the own", nil, discovery.Endpoint{Identity: account}, false, "plaintext"},
		{"1: DISABLE", []string{tls("DISABLE")}, discovery.Endpoint{Identity: account}, true, "plaintext"},
		{"1: SIMPLE", []string{tls("SIMPLE")}, discovery.Endpoint{Identity: account}, true, "plaintext"},
		{"1: ISTIO_MUTUAL", []string{tls("ISTIO_MUTUAL")}, discovery.Endpoint{Identity: account}, true, account},
		{"1: ISTIO_MUTUAL, nobody knows who", []string{tls("ISTIO_MUTUAL")}, discovery.Endpoint{}, true, ""},
		{"1: ISTIO_MUTUAL, names written", []string{named}, discovery.Endpoint{Identity: account}, true, ""},
		{"1: ISTIO_MUTUAL, no identity of the own", []string{tls("ISTIO_MUTUAL")}, discovery.Endpoint{Identity: account}, false, account},
		{"1: ISTIO_MUTUAL of an external service", []string{tls("ISTIO_MUTUAL"), entry("MESH_EXTERNAL")}, discovery.Endpoint{Identity: account}, true, account},
		{"1: ISTIO_MUTUAL where they take none", []string{tls("ISTIO_MUTUAL"), off}, discovery.Endpoint{Identity: account}, true, account},
		{"2: external", []string{entry("MESH_EXTERNAL")}, discovery.Endpoint{Identity: account}, true, "plaintext"},
		{"2: internal", []string{entry("MESH_INTERNAL")}, discovery.Endpoint{Identity: account}, true, account},
		{"4: no identity", nil, discovery.Endpoint{}, true, "plaintext"},
		{"4: label disabled", nil, discovery.Endpoint{Identity: account, Labels: map[string]string{"security.istio.io/tlsMode": "disabled"}}, true, "plaintext"},
		{"4: label of no meaning", nil, discovery.Endpoint{Identity: account, Labels: map[string]string{"security.istio.io/tlsMode": "on"}}, true, "plaintext"},
		{"4: label alone", nil, discovery.Endpoint{Labels: istio}, true, ""},
		{"5: the namespace takes none", []string{off}, discovery.Endpoint{Identity: account}, true, "plaintext"},
		{"5: another namespace takes none", []string{peerAuthentication("other/never", "mtls: {mode: DISABLE}")}, discovery.Endpoint{Identity: account}, true, account},
		{"5: the mesh takes none", []string{peerAuthentication("istio-system/never", "mtls: {mode: DISABLE}")}, discovery.Endpoint{Identity: account}, true, "plaintext"},
		{"5: the port takes none", []string{onePort}, discovery.Endpoint{Address: "10.0.0.1:8080", Identity: account, Labels: istio}, true, "plaintext"},
		{"5: another port takes none", []string{onePort}, discovery.Endpoint{Address: "10.0.0.1:8081", Identity: account, Labels: istio}, true, account},
		{"5: others take none", []string{onePort}, discovery.Endpoint{Address: "10.0.0.1:8080", Identity: account}, true, account},
		{"6: permissive", []string{peerAuthentication("both", "mtls: {mode: PERMISSIVE}")}, discovery.Endpoint{Identity: account}, true, account},
		{"6: strict", []string{peerAuthentication("one", "mtls: {mode: STRICT}")}, discovery.Endpoint{Identity: account}, true, account},
	} {
		cl := compile(t, c.documents...).Cluster(plan.ClusterKey{Host: host, Port: 80})
		got, mutual := cl.MutualTLS(&c.endpoint, c.identity)
		if !mutual {
			got = "plaintext"
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Of a host that is not a cluster-local one the identity tells the namespace.
func TestANamespaceIsThatOfTheIdentityWhereNothingElseTells(t *testing.T) {
	cl := compile(t, peerAuthentication("far/never", "mtls: {mode: DISABLE}")).Cluster(plan.ClusterKey{Host: "a.com", Port: 80})
	for namespace, want := range map[string]bool{"far": false, "near": true} {
		e := discovery.Endpoint{Identity: "spiffe://cluster.local/ns/" + namespace + "/sa/a"}
		if _, mutual := cl.MutualTLS(&e, true); mutual != want {
			t.Errorf("namespace %s: mutual TLS %v, want %v", namespace, mutual, want)
		}
	}
}

func TestAServiceAccountIsAnIdentity(t *testing.T) {
	const ports = "ports: [{number: 80, name: http, protocol: HTTP}]\nresolution: STATIC\n"
	inline := serviceEntry("prod/inline", "hosts: [inline.com]\n"+ports+"endpoints: [{address: 10.0.0.1, serviceAccount: a}, {address: 10.0.0.2}]")
	selecting := serviceEntry("prod/selecting", "hosts: [selecting.com]\n"+ports+"workloadSelector: {labels: {app: w}}")
	workload := rule("WorkloadEntry", "prod/w", "address: 10.0.0.3\nserviceAccount: b\nlabels: {app: w}")
	far, err := tlsid.ParseTrustDomain("far")
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string][]string{
		"inline.com":    {"spiffe://far/ns/prod/sa/a", ""},
		"selecting.com": {"spiffe://far/ns/prod/sa/b"},
	} {
		p := plan.Compile(parse(t, inline, selecting, workload), plan.Options{TrustDomain: far})
		var got []string
		for _, e := range p.Cluster(plan.ClusterKey{Host: host, Port: 80}).Service.Endpoints(host, 80) {
			got = append(got, e.Identity)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

func TestMutualTLSWithoutAnIdentityIsAFault(t *testing.T) {
	set := parse(t,
		destinationRule("top", "host: a.com\ntrafficPolicy: {tls: {mode: ISTIO_MUTUAL}}"),
		destinationRule("port", "host: b.com\ntrafficPolicy: {portLevelSettings: [{port: {number: 80}, tls: {mode: ISTIO_MUTUAL}}]}"),
		destinationRule("subset", "host: c.com\nsubsets: [{name: x}, {name: s, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}]"),
		destinationRule("simple", "host: d.com\ntrafficPolicy: {tls: {mode: SIMPLE}}"),
		destinationRule("other/private", "host: e.com\nexportTo: [.]\ntrafficPolicy: {tls: {mode: ISTIO_MUTUAL}}"),
		destinationRule("selects", "host: f.com\nworkloadSelector: {matchLabels: {app: other}}\ntrafficPolicy: {tls: {mode: ISTIO_MUTUAL}}"),
	)
	var got []string
	for _, f := range plan.TLSFaults(set, plan.Options{}) {
		got = append(got, f.Severity.String()+" "+f.Name+" "+f.Field)
		if f.Line == 0 || f.File == "" {
			t.Errorf("%s has no place", f)
		}
	}
	want := []string{
		"refused port spec.trafficPolicy.portLevelSettings[0].tls.mode",
		"refused subset spec.subsets[1].trafficPolicy.tls.mode",
		"refused top spec.trafficPolicy.tls.mode",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
