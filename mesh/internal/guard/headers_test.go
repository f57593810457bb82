package guard_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/guard"
)

const onlyAdmins = `
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: admins}
spec:
  rules:
  - when: [{key: "request.headers[x-role]", values: [admin]}]
`

// Policies see what the token says where a rule tells it in a header, and never
// what the caller wrote there.
func TestPoliciesSeeClaimsAndNotWhatTheCallerSaysOfThem(t *testing.T) {
	issuer := newIssuer()
	d := newDoor(t, guard.Config{}, issuer.tokens("outputClaimToHeaders: [{header: x-role, claim: role}]")+onlyAdmins)
	for _, c := range []struct {
		claim  string // "": no token
		header string
		want   int
	}{{"", "", 403}, {"", "admin", 403}, {"user", "", 403}, {"user", "admin", 403}, {"admin", "", 0}, {"admin", "user", 0}} {
		for _, lower := range []bool{false, true} {
			v := visit(nil, "/")
			v.LowerKeys = lower
			v.Header = map[string][]string{spell("X-Accept", lower): {"all"}}
			if c.header != "" {
				v.Header[spell("X-Role", lower)] = []string{c.header}
			}
			if c.claim != "" {
				v.Header[spell("Authorization", lower)] = []string{"Bearer " + issuer.token(map[string]any{"role": c.claim})}
			}
			d.admits(v, c.want)
		}
	}
}

func spell(name string, lower bool) string {
	if !lower {
		return name
	}
	return map[string]string{"X-Accept": "x-accept", "X-Role": "x-role", "X_role": "x_role", "Authorization": "authorization"}[name]
}

func TestTheHandlerGetsNeitherTheTokenNorACopyOfWhatIsTold(t *testing.T) {
	issuer := newIssuer()
	token := "Bearer " + issuer.token(map[string]any{"role": "admin"})
	for _, forward := range []string{"", "forwardOriginalToken: true"} {
		d := newDoor(t, guard.Config{}, issuer.tokens("outputClaimToHeaders: [{header: x-role, claim: role}]\n    "+forward))
		for _, lower := range []bool{false, true} {
			sent := map[string][]string{
				spell("X-Accept", lower): {"all"}, spell("X-Role", lower): {"root"}, spell("X_role", lower): {"root"},
				spell("Authorization", lower): {token},
			}
			before := maps.Clone(sent)
			v := visit(nil, "/")
			v.LowerKeys, v.Header = lower, sent
			d.admits(v, 0)
			want := map[string][]string{spell("X-Accept", lower): {"all"}, spell("X-Role", lower): {"admin"}}
			if forward != "" {
				want[spell("Authorization", lower)] = []string{token}
			}
			if !maps.EqualFunc(v.Header, want, slices.Equal) {
				t.Errorf("%q, lower %t: the handler sees %v", forward, lower, v.Header)
			}
			if !maps.EqualFunc(sent, before, slices.Equal) {
				t.Errorf("what was sent has become %v", sent)
			}
		}
	}
}

func TestATokenOfTheQueryIsTakenOutOfIt(t *testing.T) {
	issuer := newIssuer()
	d := newDoor(t, guard.Config{}, issuer.tokens(""))
	v := visit(nil, "/")
	v.RawQuery = "a=1&access_token=" + issuer.token(nil) + "&b=2"
	d.admits(v, 0)
	if v.RawQuery != "a=1&b=2" || v.Auth == nil || v.Auth.Principal != "https://issuer/ada" {
		t.Errorf("the query is %q, the token says %+v", v.RawQuery, v.Auth)
	}
}
