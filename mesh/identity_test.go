package mesh_test

import (
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// Plaintext is no substitute for the mutual TLS that a rule demands, nor is a
// policy left out because nobody can decide for it. Both are told at once.
func TestRulesThatNeedWhatTheProcessLacksAreRefused(t *testing.T) {
	_, err := mesh.New(t.Context(), mesh.Config{Rules: rules.Static(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: asked}
spec:
  action: CUSTOM
  provider: {name: nobody}
  rules: [{}]
`)})
	if err == nil {
		t.Fatal("the rules are in force")
	}
	for _, want := range []string{"static[0]:7: DestinationRule default/reviews: spec.trafficPolicy.tls", "AuthorizationPolicy default/asked", "nobody"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %s", err, want)
		}
	}
}
