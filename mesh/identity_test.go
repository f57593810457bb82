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

// A keeper keeps account of the sets that could not be obeyed.
type keeper struct {
	rules.Source
	why []error
}

func (k *keeper) Reject(_ *rules.Set, why error) { k.why = append(k.why, why) }

func TestASourceThatKeepsAccountHearsOfRulesThatCannotBeObeyed(t *testing.T) {
	k := &keeper{Source: rules.Static("apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: reviews}\nspec: {host: reviews, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}\n")}
	_, err := mesh.New(t.Context(), mesh.Config{Rules: k})
	if err == nil || len(k.why) != 1 || !strings.Contains(k.why[0].Error(), "spec.trafficPolicy.tls") {
		t.Errorf("%v, told %v", err, k.why)
	}
}
