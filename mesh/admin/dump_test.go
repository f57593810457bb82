package admin_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// TestADumpIsReadAsTheSameRulesAgain, by another mesh, whose dump is the same.
func TestADumpIsReadAsTheSameRulesAgain(t *testing.T) {
	const others = `
---
{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: a, creationTimestamp: "2026-01-02T03:04:05Z"}, spec: {hosts: [a.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 127.0.0.1}]}}
---
{apiVersion: policy.linkerd.io/v1alpha1, kind: HTTPLocalRateLimitPolicy, metadata: {name: a, labels: {team: a}}, spec: {targetRef: {group: policy.linkerd.io, kind: Server, name: productpage}, total: {requestsPerSecond: 9}}}
---
{apiVersion: telemetry.istio.io/v1, kind: Telemetry, metadata: {name: a}, spec: {tracing: [{randomSamplingPercentage: 1}]}}
`
	first := dumped(t, under(t, accessRules+others))
	var file bytes.Buffer
	for _, m := range first.Rules {
		if err := json.NewEncoder(&file).Encode(m); err != nil {
			t.Fatal(err)
		}
	}
	set, err := rules.Parse("dump.json", file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if set.Len() != len(first.Rules) || set.Len() != 8 {
		t.Errorf("%d of %d rules", set.Len(), len(first.Rules))
	}
	second := dumped(t, sceneOf(t, meshtest.New(t), mesh.Config{Workload: mesh.Workload{Service: "productpage"}, Rules: rules.Static(yaml(first.Rules))}))
	a, _ := json.Marshal(first.Rules)
	b, _ := json.Marshal(second.Rules)
	if !bytes.Equal(a, b) {
		t.Errorf("%s\nbecame\n%s", a, b)
	}
}

// yaml is the rules as one file: JSON is YAML.
func yaml(all []admin.Manifest) string {
	var out bytes.Buffer
	for _, m := range all {
		text, _ := json.Marshal(m)
		out.WriteString("---\n" + string(text) + "\n")
	}
	return out.String()
}

func dumped(t *testing.T, s *scene) (d admin.Dump) {
	t.Helper()
	s.read("/api/config", &d)
	if d.Settings.Service != "productpage" || d.Settings.OutboundPolicy != "ALLOW_ANY" || d.Settings.HoldEmptySeconds != 30 || d.RulesVersion == "" {
		t.Errorf("%+v", d.Settings)
	}
	return d
}

func TestCertificatesSayWhoAndHowLong(t *testing.T) {
	s := secured(t, "productpage", "")
	var got admin.Certificates
	s.read("/api/certificates", &got)
	const id = "spiffe://cluster.local/ns/default/sa/productpage"
	if got.ID != id || len(got.Chain) == 0 || len(got.Bundles) != 1 {
		t.Fatalf("%+v", got)
	}
	leaf, bundle := got.Chain[0], got.Bundles[0]
	if len(leaf.URIs) != 1 || leaf.URIs[0] != id || leaf.Serial == "" || len(leaf.Fingerprint) != 64 || leaf.Key == "" ||
		!leaf.NotBefore.Before(got.At) || leaf.NotAfter.Before(time.Now()) {
		t.Errorf("%+v", leaf)
	}
	if bundle.TrustDomain != "cluster.local" || len(bundle.Roots) != 1 || bundle.Roots[0].NotAfter.Before(time.Now()) {
		t.Errorf("%+v", bundle)
	}
	var none admin.Certificates
	if under(t, "").read("/api/certificates", &none); none.ID != "" || len(none.Chain)+len(none.Bundles) > 0 {
		t.Errorf("%+v", none)
	}
}
