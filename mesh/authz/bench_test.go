package authz_test

import (
	"fmt"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/authz"
)

// scene is a policy of everyday size, and a request that it lets through.
func scene(t testing.TB) (*authz.Policies, *authz.Request) {
	p := compile(t,
		policy("callers", `rules: [{from: [{source: {principals: [td1/ns/default/sa/productpage, td1/ns/default/sa/gateway]}}], to: [{operation: {methods: [GET, HEAD], paths: ["/reviews/*", /health]}}]}]`),
		policy("guests", `action: DENY, rules: [{when: [{key: "request.headers[x-role]", values: [guest]}]}]`))
	return p, &authz.Request{
		Peer: id(t, "td1/ns/default/sa/productpage"), Method: "GET", Host: "reviews:9080",
		Path: pathOf(t, authz.Base, "/reviews/7"), Header: map[string][]string{"X-Role": {"user"}}, Port: 9080,
	}
}

func TestDecidingAllocatesNothing(t *testing.T) {
	p, r := scene(t)
	want := func(what string, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", what, n)
		}
	}
	want("allowed", func() { _ = p.Decide(r).Allowed })
	stranger := *r
	stranger.Peer = id(t, "td1/ns/default/sa/ratings")
	want("denied", func() { _ = p.Decide(&stranger).Reason() })
	want("no providers", func() {
		for range p.Custom(r) {
			t.Error("asked")
		}
	})
	want("path", func() { _, _ = authz.Base.Path("/reviews/7") })
	want("mode", func() { _ = p.Mode(80) })
	every := compile(t, allowing(source(`principals: ["*/sa/productpage"], namespaces: [default], trustDomains: [td1], ipBlocks: [10.0.0.0/8], notRequestPrincipals: ["*"]`)+", "+operation(`hosts: ["reviews:*"], ports: ["9080"], paths: ["/{*}/{**}"]`)))
	want("every kind of condition", func() { _ = every.Decide(r).Allowed })
	accounts := compile(t, allowing(source(`serviceAccounts: [productpage]`)))
	want("service accounts", func() { _ = accounts.Decide(r).Allowed })
}

func BenchmarkDecide(b *testing.B) {
	p, r := scene(b)
	b.ReportAllocs()
	for b.Loop() {
		if !p.Decide(r).Allowed {
			b.Fatal("denied")
		}
	}
}

// The last of 1,000 policies is the one that allows.
func BenchmarkDecideByThousandPolicies(b *testing.B) {
	p, r := thousand(b)
	b.ReportAllocs()
	for b.Loop() {
		if !p.Decide(r).Allowed {
			b.Fatal("denied")
		}
	}
}

func thousand(b *testing.B) (*authz.Policies, *authz.Request) {
	var documents []string
	for i := range 1000 {
		documents = append(documents, policy(fmt.Sprintf("p%03d", i), fmt.Sprintf(`rules: [{from: [{source: {principals: [td1/ns/default/sa/p%d]}}]}]`, i)))
	}
	return compile(b, documents...), &authz.Request{Peer: id(b, "td1/ns/default/sa/p999")}
}

func BenchmarkCompileThousandPolicies(b *testing.B) {
	var documents []string
	for i := range 1000 {
		documents = append(documents, policy(fmt.Sprint("p", i), `action: DENY, rules: [{to: [{operation: {paths: ["/admin/*"], methods: [PUT]}}]}]`))
	}
	set, options := parse(b, documents...), full(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := authz.Compile(set, reviews, options); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPath(b *testing.B) {
	for _, path := range []string{"/reviews/7", "/reviews/caf%C3%A9", "/a/../reviews//7%2f8"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := authz.Base.Path(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
