package jwt_test

import (
	"net/http"
	"slices"
	"testing"

	security "istio.io/api/security/v1beta1"
	selector "istio.io/api/type/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// from moves a rule to a header of its own.
func from(rule *security.JWTRule, header string) *security.JWTRule {
	rule.FromHeaders = []*security.JWTHeader{{Name: header}}
	return rule
}

// TestOneValidTokenIsEnough: {P1 or P2 or all of {Pi or missing}}, with the
// reasons that Envoy prefers.
func TestOneValidTokenIsEnough(t *testing.T) {
	one, two, three := newIssuer(t, "one", ""), newIssuer(t, "two", ""), newIssuer(t, "three", "")
	shared := compile(t, two.rule(t), one.rule(t))
	apart := compile(t, from(one.rule(t), "a"), from(two.rule(t), "b"))
	old := claims{"exp": 1}
	const expired, unknown = "Jwt is expired", "Jwt issuer is not configured"
	ab := func(a, b string) *jwt.Request { return get(http.Header{"A": {a}, "B": {b}}, "") }
	for name, test := range map[string]struct {
		a       *jwt.Authenticator
		req     *jwt.Request
		subject string // of a good end
		words   string // of a bad one
	}{
		"first rule's":           {shared, bearer(one.token(t, nil)), "alice", ""},
		"second rule's":          {shared, bearer(two.token(t, nil)), "alice", ""},
		"nobody's":               {shared, bearer(three.token(t, nil)), "", unknown},
		"first rule's, old":      {shared, bearer(one.token(t, old)), "", expired},
		"second rule's, old":     {shared, bearer(two.token(t, old)), "", expired},
		"neither":                {apart, get(nil, ""), "", ""},
		"first only":             {apart, get(http.Header{"A": {one.token(t, nil)}}, ""), "alice", ""},
		"second only":            {apart, get(http.Header{"B": {two.token(t, nil)}}, ""), "alice", ""},
		"good beside bad":        {apart, ab(one.token(t, nil), two.token(t, old)), "alice", ""},
		"bad beside good":        {apart, ab("x.y", two.token(t, nil)), "alice", ""},
		"both bad: the first":    {apart, ab(one.token(t, old), "x"), "", expired},
		"at the other's place":   {apart, ab(two.token(t, nil), one.token(t, nil)), "", unknown},
		"stranger, then expired": {apart, ab(three.token(t, nil), two.token(t, old)), "", expired},
		"one bad, one missing":   {apart, get(http.Header{"B": {two.token(t, old)}}, ""), "", expired},
	} {
		t.Run(name, func(t *testing.T) {
			if test.words != "" {
				refused(t, test.a, test.req, test.words)
				return
			}
			var subject string
			if result := accepted(t, test.a, test.req); result.Auth != nil {
				subject = result.Auth.Subject
			}
			if subject != test.subject {
				t.Errorf("accepted as %q, want %q", subject, test.subject)
			}
		})
	}
}

// TestRuleWithoutIssuerTakesAny whose keys it has.
func TestRuleWithoutIssuerTakesAny(t *testing.T) {
	i := newIssuer(t, "whoever", "")
	a := compile(t, &security.JWTRule{Jwks: jwks(t, i)})
	if auth := verified(t, a, bearer(i.token(t, nil))).Auth; auth.Principal != "whoever/alice" {
		t.Errorf("%+v", auth)
	}
	if auth := verified(t, a, bearer(i.token(t, claims{"iss": nil}))).Auth; auth.Principal != "" || auth.Subject != "alice" {
		t.Errorf("%+v", auth)
	}
}

// TestAudiencesAreComparedWithoutSchemeAndLastSlash, as Envoy does.
func TestAudiencesAreComparedWithoutSchemeAndLastSlash(t *testing.T) {
	i := newIssuer(t, "i", "")
	rule := i.rule(t)
	rule.Audiences = []string{"https://reviews/", "ratings"}
	a := compile(t, rule)
	for _, aud := range []any{"reviews", "http://reviews", []string{"other", "https://ratings/"}} {
		verified(t, a, bearer(i.token(t, claims{"aud": aud})))
	}
	for _, aud := range []any{"", "Reviews", "reviews/x", []string{}, []string{"other"}} {
		refused(t, a, bearer(i.token(t, claims{"aud": aud})), "Audiences in Jwt are not allowed")
	}
}

// TestPreflightPasses with whatever token, and still may not write what rules write.
func TestPreflightPasses(t *testing.T) {
	i := newIssuer(t, "i", "")
	rule := i.rule(t)
	rule.OutputPayloadToHeader = "x-payload"
	a := compile(t, rule)
	req := bearer("bad")
	req.Method = "OPTIONS"
	req.Header = http.Header{"Authorization": {"Bearer bad"}, "Origin": {"http://o"}, "Access-Control-Request-Method": {"PUT"}}
	if result := accepted(t, a, req); result.Auth != nil || !slices.Equal(result.Remove, []string{"X-Payload"}) {
		t.Errorf("%+v", result)
	}
	for _, without := range []string{"Origin", "Access-Control-Request-Method"} {
		h := req.Header.(http.Header).Clone()
		h.Del(without)
		refused(t, a, &jwt.Request{Method: "OPTIONS", Header: h}, "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections")
	}
}

// TestPoliciesOfOwnAndRootNamespaceApply where their selector says so.
func TestPoliciesOfOwnAndRootNamespaceApply(t *testing.T) {
	i := newIssuer(t, "i", "")
	labels := func(l map[string]string) *selector.WorkloadSelector {
		return &selector.WorkloadSelector{MatchLabels: l}
	}
	for name, test := range map[string]struct {
		namespace string
		spec      *security.RequestAuthentication
		applies   bool
	}{
		"own namespace":   {"default", &security.RequestAuthentication{}, true},
		"root namespace":  {"istio-system", &security.RequestAuthentication{}, true},
		"other namespace": {"other", &security.RequestAuthentication{}, false},
		"own selected":    {"default", &security.RequestAuthentication{Selector: labels(map[string]string{"app": "reviews"})}, true},
		"root selected":   {"istio-system", &security.RequestAuthentication{Selector: labels(map[string]string{"app": "reviews"})}, true},
		"other value":     {"default", &security.RequestAuthentication{Selector: labels(map[string]string{"app": "ratings"})}, false},
		"more labels":     {"default", &security.RequestAuthentication{Selector: labels(map[string]string{"app": "reviews", "v": ""})}, false},
		"empty selector":  {"default", &security.RequestAuthentication{Selector: labels(nil)}, true},
		"for a gateway":   {"default", &security.RequestAuthentication{TargetRef: &selector.PolicyTargetReference{}}, false},
		"for gateways":    {"default", &security.RequestAuthentication{TargetRefs: []*selector.PolicyTargetReference{{}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			keys := jwt.New(jwt.Config{})
			defer keys.Close()
			test.spec.JwtRules = []*security.JWTRule{i.rule(t)}
			p := &rules.RequestAuthentication{Meta: rules.Meta{Namespace: test.namespace, Name: "p"}, Spec: test.spec}
			a := keys.Compile(policies(p), workload, "istio-system")
			if result := accepted(t, a, bearer(i.token(t, nil))); (result.Auth != nil) != test.applies {
				t.Errorf("applies: %v, want %v", result.Auth != nil, test.applies)
			}
		})
	}
}
