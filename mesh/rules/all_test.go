package rules_test

import (
	"encoding/json"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// one object of each kind
const oneOfEach = `
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: a}, spec: {hosts: [a], http: [{route: [{destination: {host: a}}]}]}}
---
{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: a}, spec: {host: a}}
---
{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: a}, spec: {hosts: [a.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 127.0.0.1}]}}
---
{apiVersion: networking.istio.io/v1, kind: WorkloadEntry, metadata: {name: a}, spec: {address: 127.0.0.1, labels: {app: a}}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: a}, spec: {rules: [{}]}}
---
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: a}, spec: {mtls: {mode: STRICT}}}
---
{apiVersion: security.istio.io/v1, kind: RequestAuthentication, metadata: {name: a}, spec: {selector: {matchLabels: {app: a}}}}
---
{apiVersion: policy.linkerd.io/v1alpha1, kind: HTTPLocalRateLimitPolicy, metadata: {name: a}, spec: {targetRef: {group: policy.linkerd.io, kind: Server, name: a}, total: {requestsPerSecond: 9}}}
---
{apiVersion: telemetry.istio.io/v1, kind: Telemetry, metadata: {name: a}, spec: {tracing: [{randomSamplingPercentage: 1}]}}
`

func TestAllYieldsEveryObjectOnce(t *testing.T) {
	set, err := rules.Parse("a.yaml", []byte(oneOfEach))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for meta, spec := range set.All() {
		if _, err := json.Marshal(spec); err != nil {
			t.Errorf("%s: %v", meta.Kind, err)
		}
		kinds[meta.Kind] = true
	}
	if len(kinds) != set.Len() || set.Len() != 9 {
		t.Errorf("%v, want %d kinds", kinds, set.Len())
	}
	for range set.All() {
		break // whoever has found what it looks for may stop
	}
}

func TestSeverityIsAWordInJSONBothWays(t *testing.T) {
	for _, want := range []rules.Severity{rules.Warning, rules.Refused, rules.Invalid} {
		text, _ := json.Marshal(want)
		var got rules.Severity
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if err := json.Unmarshal([]byte(`"mild"`), new(rules.Severity)); err == nil {
		t.Error("mild is no severity")
	}
}
