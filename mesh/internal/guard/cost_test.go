package guard_test

import (
	"context"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/guard"
)

const whoMay = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-productpage}
spec:
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/productpage]}}]
    to: [{operation: {methods: [GET], paths: [/reviews/*]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: not-internal}
spec:
  action: DENY
  rules:
  - to: [{operation: {paths: [/internal/*]}}]
`

const thousands = `
---
apiVersion: policy.linkerd.io/v1alpha1
kind: HTTPLocalRateLimitPolicy
metadata: {name: many}
spec:
  targetRef: {group: policy.linkerd.io, kind: Server, name: reviews}
  total: {requestsPerSecond: 1000000}
  identity: {requestsPerSecond: 1000000}
`

// Letting a request in costs the heap nothing; but a rate by caller puts the
// name of the caller together.
func TestAllocationsOfAdmit(t *testing.T) {
	issuer := newIssuer()
	token := map[string][]string{"Authorization": {"Bearer " + issuer.token(nil)}}
	for _, c := range []struct {
		name, documents string
		header          map[string][]string
		want            float64
	}{
		{"no rules", "", nil, 0},
		{"policies", whoMay, nil, 0},
		{"policies and rates", whoMay + thousands, nil, 1},
		{"policies, rules for tokens", whoMay + issuer.tokens(""), nil, 0},
		{"policies, a known token that stays", whoMay + issuer.tokens("forwardOriginalToken: true"), token, 0},
		{"policies, a known token that goes", whoMay + issuer.tokens(""), token, 1},
	} {
		d := newDoor(t, guard.Config{}, c.documents)
		v := visit(d.state("productpage"), "/reviews/7")
		v.Header = c.header
		d.admits(v, 0)
		got := testing.AllocsPerRun(100, func() {
			v.Header = c.header
			_ = d.Admit(context.Background(), v)
		})
		if got != c.want {
			t.Errorf("%s: %v allocations, want %v", c.name, got, c.want)
		}
	}
}

func BenchmarkAdmit(b *testing.B) {
	for name, documents := range map[string]string{"none": "", "policies": whoMay, "rates": whoMay + thousands} {
		b.Run(name, func(b *testing.B) {
			d := newDoor(b, guard.Config{}, documents)
			v := visit(d.state("productpage"), "/reviews/7")
			b.ReportAllocs()
			for b.Loop() {
				if d.Admit(context.Background(), v) != nil {
					b.Fatal("refused")
				}
			}
		})
	}
}
