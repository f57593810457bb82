package rules_test

import (
	"strings"
	"testing"

	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestPeerAuthentications(t *testing.T) {
	const ports = "spec.portLevelMtls"
	verify(t, peerAuthentication, []row{
		{``, ``},
		{`mtls: {}`, ``},
		{`mtls: {mode: STRICT}`, ``},
		{`mtls: {mode: STRIKT}`, `invalid spec.mtls.mode: unknown value "STRIKT": want one of UNSET, DISABLE, PERMISSIVE, STRICT; did you mean "STRICT"?`},
		{`selector: {matchLabels: {app: a}}, mtls: {mode: PERMISSIVE}, portLevelMtls: {80: {mode: DISABLE}, "8080": {mode: UNSET}}`, ``},
		{`selector: {}`, `warning spec.selector.matchLabels: it selects every workload`},
		{`portLevelMtls: {80: {}}`, `invalid ` + ports + `: without labels in the selector`},
		{`selector: {}, portLevelMtls: {80: {}}`, "warning spec.selector.matchLabels: no labels\ninvalid " + ports + ": without labels"},
		{`selector: {matchLabels: {app: a}}, portLevelMtls: {}`, `invalid ` + ports + `: empty: want at least one port`},
		{`selector: {matchLabels: {app: a}}, portLevelMtls: {0: {}, 65535: {}, 65536: {}}`, "invalid " + ports + "[0]: 0: want 1 to 65535\ninvalid " + ports + "[65536]: 65536"},
		{`selector: {matchLabels: {app: a}}, portLevelMtls: {http: {}}`, `invalid ` + ports + `[http]: want a whole number from 0 to 4294967295 as the key, got "http"`},
		{`selector: {matchLabels: {app: a}}, portLevelMtls: {-1: {}, 80: null}`, "invalid " + ports + "[-1]: want a whole number\ninvalid " + ports + "[80]: want a mapping (MutualTLS), got null"},
		{`selector: {matchLabels: {app: a}}, portLevelMtls: {80: {}, "80": {}}`, `invalid ` + ports + `[80]: written twice`},
		{`targetRef: {}`, `invalid spec.targetRef: PeerAuthentication has no field`},
	})
}

func TestASelectorInTheRootNamespaceHasNoEffect(t *testing.T) {
	document := strings.Replace(peerAuthentication(`selector: {matchLabels: {app: a}}, mtls: {mode: STRICT}`), "namespace: ns", "namespace: istio-system", 1)
	compareFaults(t, `warning spec.selector: the whole policy has no effect, in Istio too`, faultsOf(t, document))
}

func TestTheOldestOfTwoPeerAuthenticationsCounts(t *testing.T) {
	const taken = `warning spec: has no effect: PeerAuthentication ns/a, which comes first, is for the same workloads`
	pair := func(b string) string {
		return "pa ns/a {mtls: {mode: STRICT}}; pa ns/c {selector: {matchLabels: {x: z}}}; " + b
	}
	verify(t, several, []row{
		{pair("pa ns/b {}"), taken},
		{pair("pa other/b {}"), ``},
		{pair("pa ns/b {selector: {matchLabels: {x: w}}}"), ``},
		{pair("pa ns/d {selector: {matchLabels: {x: z}}}"), `warning spec: PeerAuthentication ns/c`},
	})
}

func TestPortModesAreDecoded(t *testing.T) {
	set, err := rules.Parse("a.yaml", []byte(peerAuthentication(`selector: {matchLabels: {app: a}}, portLevelMtls: {80: {mode: DISABLE}, 81: {}}`)))
	if err != nil {
		t.Fatal(err)
	}
	modes := set.PeerAuthentications[0].Spec.PortLevelMtls
	if len(modes) != 2 || modes[80].GetMode() != security.PeerAuthentication_MutualTLS_DISABLE || modes[81] == nil {
		t.Error(modes)
	}
}
