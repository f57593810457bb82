package authz_test

import (
	"net/netip"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/authz"
)

// A row is a rule in YAML and what it does not match and does.
type row struct {
	rule      string
	unmatched []authz.Request
	matched   []authz.Request
}

// check tries each rule in an ALLOW and in a DENY policy. Requests that can be
// read in one way only mean the same to both.
func check(t *testing.T, rows []row) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			allow, deny := compile(t, allowing(row.rule)), compile(t, denying(row.rule))
			for _, r := range row.unmatched {
				if allow.Decide(&r).Allowed || !deny.Decide(&r).Allowed {
					t.Errorf("matches %+v", r)
				}
			}
			for _, r := range row.matched {
				if !allow.Decide(&r).Allowed || deny.Decide(&r).Allowed {
					t.Errorf("does not match %+v", r)
				}
			}
		})
	}
}

func source(field string) string    { return "from: [{source: {" + field + "}}]" }
func operation(field string) string { return "to: [{operation: {" + field + "}}]" }
func when(fields string) string     { return "when: [{" + fields + "}]" }

// peers are plaintext for "", else callers with these identities.
func peers(t *testing.T, names ...string) (out []authz.Request) {
	for _, name := range names {
		out = append(out, authz.Request{Peer: id(t, name)})
	}
	return out
}

// The mesh is td1, with the alias td2.
func TestWhoTheCallerIs(t *testing.T) {
	const a, b = "td1/ns/a/sa/web", "td2/ns/b/sa/web"
	const foreign, odd = "td3/ns/a/sa/web", "td1/spire/agent"
	check(t, []row{
		{source(`principals: [td1/ns/a/sa/web]`), peers(t, "", b, foreign, odd, "td1/ns/a/sa/webs", "td1/ns/a/sa/web/x", "td1"), peers(t, a, "td2/ns/a/sa/web")},
		{source(`principals: [td2/ns/a/sa/web]`), peers(t, "", b, foreign), peers(t, a, "td2/ns/a/sa/web")},
		{source(`principals: [cluster.local/ns/a/sa/web]`), peers(t, "", b, foreign, "cluster.local/ns/a/sa/web"), peers(t, a, "td2/ns/a/sa/web")},
		{source(`principals: [td3/ns/a/sa/web]`), peers(t, "", a, b), peers(t, foreign)},
		{source(`principals: [td1/spire/agent]`), peers(t, "", a, "td2/spire/agent"), peers(t, odd)},
		{source(`principals: ["td1/ns/a/*"]`), peers(t, "", b, "td2/ns/a/sa/web", "td1/ns/ab/sa/web"), peers(t, a, "td1/ns/a/x")},
		{source(`principals: ["td1/ns/a/sa/*"]`), peers(t, "", b), peers(t, a, "td2/ns/a/sa/web")}, // five parts: a full name to Istio
		{source(`principals: ["td*"]`), peers(t, "", "x/ns/a/sa/web"), peers(t, a, b, foreign, odd, "td9")},
		{source(`principals: ["*/sa/web"]`), peers(t, "", odd, "td1/ns/a/sa/webs"), peers(t, a, b, foreign)},
		{source(`principals: ["*1/ns/a/sa/web"]`), peers(t, "", b, foreign, "td2/ns/a/sa/web"), peers(t, a)},
		{source(`principals: ["*/ns/a/*"]`), peers(t, "", a, foreign), nil}, // ends in a literal star
		{source(`principals: ["*"]`), peers(t, ""), peers(t, a, b, foreign, odd)},
		{source(`principals: [x, td1/ns/a/sa/web]`), peers(t, "", b), peers(t, a)},
		{source(`notPrincipals: [td1/ns/a/sa/web]`), peers(t, a, "td2/ns/a/sa/web"), peers(t, "", b, odd)},
		{source(`notPrincipals: ["*"]`), peers(t, a, b, foreign, odd), peers(t, "")},
		{source(`principals: ["*/sa/web"], notPrincipals: ["td1/*"]`), peers(t, "", a, odd), peers(t, b)},
		{when(`key: source.principal, values: [td1/ns/a/sa/web]`), peers(t, "", b), peers(t, a)},
		{when(`key: source.principal, values: ["*"], notValues: [td1/ns/a/sa/web]`), peers(t, "", a), peers(t, b)},

		{source(`namespaces: [a]`), peers(t, "", b, odd, "td1/ns/ab/sa/web", "td1/ns/b/sa/a"), peers(t, a, foreign, "td1/x/ns/a/sa/web")},
		{source(`namespaces: ["a*c"]`), peers(t, "", a, "td1/ns/ab/sa/web"), peers(t, "td1/ns/abc/sa/web", "td1/ns/ac/sa/web")},
		{source(`namespaces: ["*"]`), peers(t, "", odd, "ns/a/sa/web"), peers(t, a, b)}, // a trust domain called ns is no namespace
		{source(`notNamespaces: [a]`), peers(t, a), peers(t, "", b, odd)},
		{when(`key: source.namespace, values: [a]`), peers(t, "", b), peers(t, a)},

		{source(`serviceAccounts: [a/web]`), peers(t, "", b, odd, "td1/ns/a/sa/webs", "td1/ns/a/sab/web", "td1/ns/a/x-sa/web"),
			peers(t, a, foreign, "td1/ns/a/sa/web/x", "td1/ns/a/x/sa/web", "td1/x/ns/a/sa/web", "td1/ns/ns/ns/a/sa/web")},
		{source(`serviceAccounts: [web]`), peers(t, "", a, b), peers(t, "td1/ns/default/sa/web")}, // of the policy's namespace
		{source(`notServiceAccounts: [a/web]`), peers(t, a), peers(t, "", b)},
		{when(`key: source.serviceAccount, values: [a/web, b/web]`), peers(t, "", odd), peers(t, a, b)},

		{source(`trustDomains: [td1]`), peers(t, "", foreign, "td10/ns/a/sa/web"), peers(t, a, b, odd)}, // with its alias
		{source(`trustDomains: [td3]`), peers(t, "", a, b), peers(t, foreign)},
		{source(`trustDomains: ["td*"]`), peers(t, "", "x/y"), peers(t, a, b, foreign)},
		{source(`trustDomains: ["*3"]`), peers(t, "", a, b), peers(t, foreign)},
		{source(`trustDomains: ["*"]`), peers(t, ""), peers(t, a, b, foreign, odd)},
		{source(`notTrustDomains: [td1]`), peers(t, a, b), peers(t, "", foreign)},
		{when(`key: source.trustDomain, notValues: [td3]`), peers(t, foreign), peers(t, "", a)},
	})
}

func tokens(claims ...map[string]any) (out []authz.Request) {
	for _, c := range claims {
		out = append(out, authz.Request{Claims: c})
	}
	return out
}

func TestWhoseTokenItIs(t *testing.T) {
	token := func(issuer, subject any) map[string]any { return map[string]any{"iss": issuer, "sub": subject} }
	good := token("https://a.example/x", "me")
	check(t, []row{
		{source(`requestPrincipals: [https://a.example/x/me]`), tokens(nil, map[string]any{}, token("https://a.example", "x/me"), token("https://a.example/x", "you")), tokens(good)},
		{source(`requestPrincipals: ["*"]`), tokens(nil, map[string]any{"iss": "a"}, map[string]any{"sub": "a"}, token("", "me"), token(1, 2)), tokens(good)},
		{source(`requestPrincipals: ["https://a.example/x/*"]`), tokens(nil, token("https://a.example", "me")), tokens(good, token("https://a.example/x", "you"))},
		{source(`requestPrincipals: ["*/me"]`), tokens(nil, token("a", "you"), token("a", "meme")), tokens(good, token("a", "me"))},
		{source(`requestPrincipals: ["*/x/me"]`), tokens(nil, token("a", "me")), tokens(good)},
		{source(`requestPrincipals: ["a/m*"]`), tokens(nil, token("a", "you"), token("b", "me")), tokens(token("a", "me"))},
		{source(`requestPrincipals: ["a/*e"]`), tokens(nil, token("a", "me")), tokens(token("a", "*e"))}, // a star at neither end
		{source(`requestPrincipals: ["*e"]`), tokens(nil, token("a", "you")), tokens(token("a", "me"))},
		{source(`requestPrincipals: ["a*"]`), tokens(nil, token("b", "me")), tokens(token("ab", "me"))},
		{source(`requestPrincipals: [a]`), tokens(nil, token("a", ""), map[string]any{"iss": "a"}, token("a", "me")), nil},
		{source(`notRequestPrincipals: ["*"]`), tokens(good), tokens(nil, map[string]any{"iss": "a"})},
		{when(`key: request.auth.principal, values: [a/me]`), tokens(nil, good), tokens(token("a", "me"))},
	})
}

func TestWhatTheTokenClaims(t *testing.T) {
	claim := func(value any) []authz.Request { return tokens(map[string]any{"k": value}) }
	nested := func(value any) []authz.Request { return claim(map[string]any{"a.b": value}) }
	and := func(lists ...[]authz.Request) (out []authz.Request) {
		for _, l := range lists {
			out = append(out, l...)
		}
		return out
	}
	const key = `key: "request.auth.claims[k]", `
	check(t, []row{
		{when(key + `values: [v]`), and(tokens(nil, map[string]any{"v": "k"}), claim("w"), claim(1), claim(true), claim([]any{"w", 1}), claim(map[string]any{"v": "v"})), and(claim("v"), claim([]any{1, "v"}), claim([]string{"w", "v"}))},
		{when(key + `values: ["v*"]`), and(claim("wv")), and(claim("vw"), claim([]any{"w", "vw"}))},
		{when(key + `values: ["*v"]`), and(claim("vw")), and(claim("wv"))},
		{when(key + `values: ["*"]`), and(tokens(nil), claim(""), claim([]any{}), claim(1)), and(claim("x"), claim([]any{"x"}))},
		{when(key + `notValues: [v]`), and(claim("v"), claim([]any{"w", "v"})), and(tokens(nil), claim("w"), claim(1))},
		{when(key + `values: ["v*"], notValues: [vw]`), and(claim("vw"), claim("w")), and(claim("vx"))},
		{when(`key: "request.auth.claims[k][a.b]", values: [v]`), and(tokens(nil), claim("v"), nested("w")), and(nested("v"), nested([]any{"v"}))},
		{when(`key: request.auth.audiences, values: [v]`), and(tokens(nil, map[string]any{"aud": "w"})), tokens(map[string]any{"aud": "v"}, map[string]any{"aud": []any{"w", "v"}})},
		{when(`key: request.auth.presenter, values: [v]`), and(tokens(nil, map[string]any{"azp": "w"})), tokens(map[string]any{"azp": "v"})},
	})
}

func TestWhereItComesFromAndGoesTo(t *testing.T) {
	from := func(s string) authz.Request { return authz.Request{Source: netip.MustParseAddr(s)} }
	for_ := func(s string) authz.Request { return authz.Request{Remote: netip.MustParseAddr(s)} }
	to := func(s string) authz.Request { return authz.Request{Destination: netip.MustParseAddr(s)} }
	type many = []authz.Request
	check(t, []row{
		{source(`ipBlocks: [10.1.2.3]`), many{{}, from("10.1.2.4"), for_("10.1.2.3"), from("::1")}, many{from("10.1.2.3"), from("::ffff:10.1.2.3")}},
		{source(`ipBlocks: [10.1.0.0/16, "fe80::/10"]`), many{{}, from("10.2.0.0"), from("fc00::1")}, many{from("10.1.255.255"), from("fe80::1"), from("fe80::1%eth0"), from("::ffff:10.1.0.1%eth0")}},
		{source(`ipBlocks: ["::ffff:10.1.0.0/112"]`), many{from("10.2.0.0")}, many{from("10.1.0.1"), from("::ffff:10.1.0.1")}},
		{source(`ipBlocks: [10.1.2.3/16]`), many{from("10.2.2.3")}, many{from("10.1.9.9")}}, // the bits beyond do not count
		{source(`notIpBlocks: [10.0.0.0/8]`), many{from("10.1.1.1")}, many{{}, from("11.1.1.1"), from("::1")}},
		{source(`remoteIpBlocks: [10.0.0.0/8]`), many{{}, from("10.1.1.1"), for_("11.1.1.1")}, many{for_("10.1.1.1")}},
		{source(`notRemoteIpBlocks: [10.0.0.0/8]`), many{for_("10.1.1.1")}, many{{}, from("10.1.1.1")}},
		{when(`key: source.ip, values: [10.0.0.0/8], notValues: [10.1.0.0/16]`), many{{}, from("10.1.1.1")}, many{from("10.2.1.1")}},
		{when(`key: remote.ip, values: [10.0.0.0/8]`), many{{}}, many{for_("10.2.1.1")}},
		{when(`key: destination.ip, values: [10.0.0.0/8]`), many{{}, from("10.1.1.1")}, many{to("10.2.1.1")}},
		{when(`key: destination.port, values: ["80", "0443"]`), many{{}, {Port: 8080}}, many{{Port: 80}, {Port: 443}}},
		{operation(`ports: ["80"]`), many{{}, {Port: 8080}}, many{{Port: 80}}},
		{operation(`notPorts: ["80"]`), many{{Port: 80}}, many{{}, {Port: 8080}}},
		{when(`key: connection.sni, values: ["*.example.com"]`), many{{}, {SNI: "example.com"}}, many{{SNI: "a.example.com"}}},
		{when(`key: connection.sni, values: ["*"]`), many{{}}, many{{SNI: "a"}}},
		{when(`key: connection.sni, values: [Admin.example]`), many{{SNI: "a"}}, many{{SNI: "admin.example"}, {SNI: "ADMIN.example"}}},
	})
}

func TestWhatIsAskedFor(t *testing.T) {
	header := func(name string, values ...string) authz.Request {
		return authz.Request{Header: map[string][]string{name: values}}
	}
	metadata := func(name string, values ...string) authz.Request {
		return authz.Request{Header: map[string][]string{name: values}, LowerKeys: true}
	}
	type many = []authz.Request
	check(t, []row{
		{operation(`methods: [GET]`), many{{}, {Method: "get"}, {Method: "POST"}}, many{{Method: "GET"}}},
		{operation(`methods: ["P*", "*E"]`), many{{}, {Method: "GET"}}, many{{Method: "POST"}, {Method: "DELETE"}}},
		{operation(`notMethods: [GET]`), many{{Method: "GET"}}, many{{}, {Method: "POST"}}},
		{when(`key: "request.headers[:method]", values: [GET]`), many{{}}, many{{Method: "GET"}}},

		{operation(`hosts: [A.example.com]`), many{{}, {Host: "b.example.com"}, {Host: "a.example.com.evil"}}, many{{Host: "a.example.com"}, {Host: "A.EXAMPLE.COM"}}},
		{operation(`hosts: ["a.example.com:8080"]`), many{{Host: "a.example.com"}}, many{{Host: "a.example.com:8080"}}},
		{operation(`hosts: ["a.example.com:*"]`), many{{Host: "a.example.com"}}, many{{Host: "a.example.com:8080"}}},
		{operation(`hosts: ["*.example.com"]`), many{{}, {Host: "example.com"}}, many{{Host: "x.Example.com"}}},
		{operation(`hosts: ["*"]`), many{{}}, many{{Host: "x"}}},
		{operation(`notHosts: ["*"]`), many{{Host: "x"}}, many{{}}},
		{when(`key: "request.headers[Host]", values: [x]`), many{{}, {Host: "y"}}, many{{Host: "x"}}},
		{when(`key: "request.headers[:authority]", values: [x]`), many{{}, {Host: "y"}}, many{{Host: "x"}}},

		{when(`key: "request.headers[x-User]", values: [v]`), many{{}, header("X-User"), header("X-User", "w"), header("X-User", "V"), metadata("X-User", "v")}, many{header("X-User", "v"), metadata("x-user", "v")}},
		{when(`key: "request.headers[x-user]", values: ["v*"]`), many{header("X-User", "wv")}, many{header("X-User", "vw"), header("X-User", "v", "w")}},
		{when(`key: "request.headers[x-user]", values: ["v,w"]`), many{header("X-User", "v")}, many{header("X-User", "v,w"), header("X-User", "v", "w")}},
		{when(`key: "request.headers[x-user]", values: ["*"]`), many{{}, header("X-User")}, many{header("X-User", ""), header("X-User", "a", "b")}},
		{when(`key: "request.headers[x-user]", notValues: [v]`), many{header("X-User", "v")}, many{{}, header("X-User", "w")}},
		{when(`key: "request.headers[x-user]", notValues: ["*"]`), many{header("X-User", "v"), header("X-User", "")}, many{{}}},
	})
}

func TestAllThatARuleSaysMustHold(t *testing.T) {
	const rule = `from: [{source: {principals: [td1/a], namespaces: [x]}}, {source: {principals: [td1/b]}}],
  to: [{operation: {methods: [GET], ports: ["80"]}}, {operation: {methods: [PUT]}}],
  when: [{key: connection.sni, values: [s]}, {key: "request.headers[k]", values: [v]}]`
	b := authz.Request{Peer: id(t, "td1/b"), Method: "GET", Port: 80, SNI: "s", Header: map[string][]string{"K": {"v"}}}
	but := func(change func(*authz.Request)) authz.Request { r := b; change(&r); return r }
	check(t, []row{{rule, []authz.Request{
		but(func(r *authz.Request) { r.Peer = id(t, "td1/a") }), // not in the namespace
		but(func(r *authz.Request) { r.Peer = id(t, "td1/c") }),
		but(func(r *authz.Request) { r.Port = 81 }),
		but(func(r *authz.Request) { r.Method = "POST" }),
		but(func(r *authz.Request) { r.SNI = "" }),
		but(func(r *authz.Request) { r.Header = nil }),
	}, []authz.Request{b, but(func(r *authz.Request) { r.Method, r.Port = "PUT", 81 })}}})
}

// Where a request can be read in several ways, none is let through that the
// policy would not let through.
func TestAmbiguousRequestsAreReadTheStricterWay(t *testing.T) {
	roles := func(values ...string) *authz.Request {
		return &authz.Request{Header: map[string][]string{"Role": values}}
	}
	host := func(s string) *authz.Request { return &authz.Request{Host: s} }
	const isAdmin, notAdmin = `key: "request.headers[role]", values: [admin]`, `key: "request.headers[role]", notValues: [admin]`
	for _, c := range []struct {
		name, policy string
		refused      []*authz.Request
	}{
		{"one role of several is denied", denying(when(isAdmin)), []*authz.Request{roles("admin", "x"), roles("x", "admin")}},
		{"a padded role is denied", denying(when(isAdmin)), []*authz.Request{roles(" admin"), roles("admin\t"), roles("x", " admin ")}},
		{"a padded role is not enough", allowing(when(isAdmin)), []*authz.Request{roles(" admin"), roles("admin\t")}},
		{"a padded role that must not be", allowing(when(notAdmin)), []*authz.Request{roles(" admin"), roles("admin\t"), roles("x", "admin ")}},
		{"one role of several is not enough", allowing(when(isAdmin)), []*authz.Request{roles("admin", "x"), roles("x", "admin")}},
		{"one role of several that must not be", allowing(when(notAdmin)), []*authz.Request{roles("admin", "x"), roles("x", "admin")}},
		{"another role denied", denying(when(notAdmin)), []*authz.Request{roles("admin", "x"), roles("x", "admin")}},
		{"a denied host, port or not", denying(operation(`hosts: [admin.example]`)), []*authz.Request{host("admin.example:80"), host("ADMIN.example."), host("admin.example.:80"), host("admin.example..")}},
		{"a host that must not be", allowing(operation(`notHosts: [admin.example]`)), []*authz.Request{host("admin.example:80"), host("admin.example.")}},
		{"an allowed host, as written only", allowing(operation(`hosts: [shop.example]`)), []*authz.Request{host("shop.example:80"), host("shop.example.")}},
		{"an allowed host that is no host's end", allowing(operation(`hosts: ["*.shop.example"]`)), []*authz.Request{host("admin.example:80.shop.example"), host("admin.example:.shop.example"), host("a:1:2.shop.example")}},
		{"another host denied", denying(operation(`notHosts: ["*.shop.example"]`)), []*authz.Request{host("admin.example:80.shop.example")}},
		{"an address as a host", denying(operation(`hosts: ["[::1]"]`)), []*authz.Request{host("[::1]:80"), host("[::1]")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := compile(t, c.policy)
			for _, r := range c.refused {
				if p.Decide(r).Allowed {
					t.Errorf("allowed: host %q, header %q", r.Host, r.Header)
				}
			}
		})
	}
}
