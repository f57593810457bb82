package guard_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// everything is a rule for each stage.
const everything = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: asks}
spec:
  action: CUSTOM
  provider: {name: opa}
  rules: [{}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-productpage}
spec:
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/productpage]}}]
    to: [{operation: {paths: [/reviews/*]}}]
---
apiVersion: policy.linkerd.io/v1alpha1
kind: HTTPLocalRateLimitPolicy
metadata: {name: once}
spec:
  targetRef: {group: policy.linkerd.io, kind: Server, name: reviews}
  total: {requestsPerSecond: 1}
`

func agrees(err *error) map[string]guard.Provider {
	return map[string]guard.Provider{"opa": func(context.Context, *guard.Visit, *authz.Rule) error { return *err }}
}

// says is a Checker that says yes or no.
type says bool

func (s *says) Check(*authz.Request) error {
	if *s {
		return nil
	}
	return errors.New("no intention")
}

// Each step repairs what the one before was refused for: the stages come in
// Istio's order, and whoever is refused by one has cost the later ones nothing.
func TestStagesComeInOrder(t *testing.T) {
	opinion, word := errors.New("no"), new(says)
	d := newDoor(t, guard.Config{Providers: agrees(&opinion)}, everything+newIssuer().tokens(""))
	d.Obey(word)
	conn, header, path := stateOf(t, d.issue(newCA(t, tlsid.CAConfig{}), "productpage")), http.Header{"Authorization": {"Bearer x.y.z"}}, "/"
	for _, step := range []struct {
		repair func()
		status int
		reason string
		closes bool
	}{
		{func() {}, 403, "not trusted", true},
		{func() { conn = nil }, 403, "STRICT", true},
		{func() { conn = d.state("productpage") }, 403, "no intention", false},
		{func() { *word = true }, 403, "provider opa, asked by ns[default]-policy[asks]-rule[0]: no", false},
		{func() { opinion = nil }, 401, "jwt_authn_access_denied{Jwt", false},
		{func() { header = nil }, 403, "rbac_access_denied_matched_policy[none]", false},
		{func() { path = "/reviews/7" }, 0, "", false},
		{func() {}, 429, "rate limit default/once: total: 1 per second", false},
	} {
		step.repair()
		v := visit(conn, path)
		v.Header = header
		r := d.admits(v, step.status)
		if r != nil && (!strings.Contains(r.Error(), step.reason) || r.Close != step.closes) {
			t.Errorf("%q (close %t), want %q", r, r.Close, step.reason)
		}
		if decided := step.status == 0 || step.status == 429; !decided && v.Trial() != "" {
			t.Errorf("%q: nobody asked the policies on trial, and they said %q", r, v.Trial())
		}
	}
}

func TestWhatNobodyCanEnforceIsToldWithItsPlace(t *testing.T) {
	d := newDoor(t, guard.Config{}, "")
	set, err := rules.Parse("rules.yaml", []byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Compile(set)
	for _, word := range []string{"rules.yaml:", "AuthorizationPolicy default/asks", "spec.provider.name", `"opa"`} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v does not say %s", err, word)
		}
	}
}
