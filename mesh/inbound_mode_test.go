package mesh_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

const (
	strict     = "{mtls: {mode: STRICT}}"
	permissive = "{mtls: {mode: PERMISSIVE}}"
	disable    = "{mtls: {mode: DISABLE}}"
	unset      = "{mtls: {mode: UNSET}}"
)

// ofWorkload selects the workload, with a mode for one of its ports.
func ofWorkload(mode, port, portMode string) string {
	return fmt.Sprintf("{selector: {matchLabels: {app: reviews}}, mtls: {mode: %s}, portLevelMtls: {%s: {mode: %s}}}", mode, port, portMode)
}

func TestPortsObeyPeerAuthentications(t *testing.T) {
	b := open(t, nil, hello)
	_, port, err := net.SplitHostPort(b.address)
	if err != nil {
		t.Fatal(err)
	}
	pa := func(name, spec string) string { return rule("PeerAuthentication", name, spec) }
	ofMesh := func(spec string) string { return ruleIn("istio-system", "PeerAuthentication", "mesh", spec) }
	for _, c := range []struct {
		name           string
		documents      []string
		plaintext, tls bool
	}{
		{"nothing is written", nil, true, true},
		{"mesh STRICT", []string{ofMesh(strict)}, false, true},
		{"mesh PERMISSIVE", []string{ofMesh(permissive)}, true, true},
		{"mesh DISABLE", []string{ofMesh(disable)}, true, false},
		{"mesh UNSET", []string{ofMesh(unset)}, true, true},
		{"namespace over mesh", []string{ofMesh(strict), pa("ns", permissive)}, true, true},
		{"namespace UNSET inherits", []string{ofMesh(strict), pa("ns", unset)}, false, true},
		{"another namespace", []string{ruleIn("other", "PeerAuthentication", "ns", strict)}, true, true},
		{"workload over namespace", []string{pa("ns", strict), pa("w", ofWorkload("DISABLE", "1", "STRICT"))}, true, false},
		{"workload UNSET inherits", []string{pa("ns", strict), pa("w", ofWorkload("UNSET", "1", "DISABLE"))}, false, true},
		{"port over workload", []string{pa("w", ofWorkload("PERMISSIVE", port, "STRICT"))}, false, true},
		{"port DISABLE", []string{ofMesh(strict), pa("w", ofWorkload("STRICT", port, "DISABLE"))}, true, false},
		{"port UNSET inherits", []string{pa("w", ofWorkload("STRICT", port, "UNSET"))}, false, true},
		{"another workload", []string{pa("w", strings.Replace(ofWorkload("STRICT", port, "STRICT"), "reviews", "ratings", 1))}, true, true},
	} {
		b.obey(append(c.documents, "# "+c.name)...)
		for _, version := range versions {
			if got := b.stranger(version).send("GET", "/").status == 200; got != c.plaintext {
				t.Errorf("%s: plaintext over %s is let in: %t, want %t", c.name, version, got, c.plaintext)
			}
			if got := b.guest("productpage", version).send("GET", "/").status == 200; got != c.tls {
				t.Errorf("%s: mutual TLS over %s is let in: %t, want %t", c.name, version, got, c.tls)
			}
		}
	}
}

func TestAModeThatChangesHoldsForOpenConnections(t *testing.T) {
	for _, version := range versions {
		b := open(t, nil, hello)
		stranger, guest := b.stranger(version), b.guest("productpage", version)
		stranger.get("/", 200)
		guest.get("/", 200)
		b.obey(rule("PeerAuthentication", "ns", strict))
		stranger.getAgain("/", 403)
		guest.getAgain("/", 200)
		if stranger.send("GET", "/").status == 200 {
			t.Errorf("%s: the connection that was refused is of use again", version)
		}
		b.obey(rule("PeerAuthentication", "ns", permissive))
		stranger.get("/", 200)
	}
}

func TestAPlaintextCallerHasNoPrincipal(t *testing.T) {
	b := open(t, nil, hello, rule("AuthorizationPolicy", "any", "{rules: [{from: [{source: {principals: ['*']}}]}]}"))
	for _, version := range versions {
		b.stranger(version).get("/", 403)
		if a := b.guest("productpage", version).get("/", 200); a.body != "/ spiffe://cluster.local/ns/default/sa/productpage" {
			t.Errorf("the handler sees %q", a.body)
		}
	}
}

// Without an identity nobody can be identified: STRICT lets nobody in rather
// than everybody.
func TestAStrictPortWithoutAnIdentityLetsNobodyIn(t *testing.T) {
	b := open(t, withoutIdentity, hello, rule("PeerAuthentication", "ns", strict))
	b.stranger(http1).get("/", 400)
	b.guest("productpage", http1).get("/", 0)
	b.obey("")
	b.stranger(http1).get("/", 200)
	b.guest("productpage", http1).get("/", 0)
}
