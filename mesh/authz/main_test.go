package authz_test

import (
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reviews is the workload that the tests protect.
var reviews = authz.Workload{Namespace: "default", Labels: map[string]string{"app": "reviews", "version": "v1"}}

// full are options with all that can be plugged in.
func full(t testing.TB) authz.Options {
	return authz.Options{
		TrustDomain:        domain(t, "td1"),
		TrustDomainAliases: []tlsid.TrustDomain{domain(t, "td2")},
		Providers:          []string{"opa", "ext"},
		TrustedProxies:     true,
	}
}

func domain(t testing.TB, name string) tlsid.TrustDomain {
	t.Helper()
	td, err := tlsid.ParseTrustDomain(name)
	if err != nil {
		t.Fatal(err)
	}
	return td
}

// id is the SPIFFE ID without spiffe://; "" is none.
func id(t testing.TB, name string) tlsid.ID {
	t.Helper()
	if name == "" {
		return tlsid.ID{}
	}
	out, err := tlsid.ParseID("spiffe://" + name)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// policy is an AuthorizationPolicy, called name or namespace/name, with a spec
// in YAML in one line.
func policy(name, spec string) string {
	return document("AuthorizationPolicy", name, "", spec)
}

// dryRun is a policy that decides nothing.
func dryRun(name, spec string) string {
	return document("AuthorizationPolicy", name, `, annotations: {istio.io/dry-run: "true"}`, spec)
}

// allowing and denying are policies called p with one rule.
func allowing(rule string) string { return policy("p", "action: ALLOW, rules: [{"+rule+"}]") }
func denying(rule string) string  { return policy("p", "action: DENY, rules: [{"+rule+"}]") }

func document(kind, name, meta, spec string) string {
	namespace := ""
	if before, after, ok := strings.Cut(name, "/"); ok {
		namespace, name = ", namespace: "+before, after
	}
	return "apiVersion: security.istio.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + namespace + meta + "}\nspec: {" + spec + "}\n"
}

func parse(t testing.TB, documents ...string) *rules.Set {
	t.Helper()
	set, err := rules.Parse("access.yaml", []byte(strings.Join(documents, "---\n")))
	if err != nil {
		t.Fatalf("rules: %v", err)
	}
	return set
}

func compile(t testing.TB, documents ...string) *authz.Policies {
	t.Helper()
	p, err := authz.Compile(parse(t, documents...), reviews, full(t))
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return p
}

// pathOf is the path of a URL, in its normal form.
func pathOf(t testing.TB, n authz.Normalization, target string) authz.Path {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	p, err := n.Path(u.EscapedPath())
	if err != nil {
		t.Fatal(err)
	}
	return p
}
