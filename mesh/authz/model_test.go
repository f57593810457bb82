package authz_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// values are, for each key of a condition, values of every kind of match. The
// fields of sources and operations have the keys of a condition too.
var values = map[string][]string{
	"source.principal":            {"td1/ns/a/sa/web", "td3/ns/a/sa/web", "cluster.local/ns/b/sa/db", "td1/ns/a/*", "*/sa/web", "*", "*/ns/a/*", "td*", "*2/ns/b/sa/db", "*web"},
	"source.namespace":            {"a", "b", "a*", "*a", "*", "x*y"},
	"source.serviceAccount":       {"a/web", "b/db", "web"},
	"source.trustDomain":          {"td1", "td3", "td*", "*3", "*"},
	"source.ip":                   {"10.0.0.1", "10.0.0.0/8", "::1", "fe80::/10"},
	"remote.ip":                   {"10.0.0.1", "10.0.0.0/8", "::1"},
	"destination.ip":              {"10.0.0.1", "10.0.0.0/8"},
	"destination.port":            {"80", "443"},
	"connection.sni":              {"a.example", "a*", "*example", "*"},
	"request.auth.principal":      {"iss/me", "iss/*", "*/me", "*", "i*", "*e", "iss", "https://i/me", "*i/me", "iss/m*"},
	"request.auth.audiences":      {"one", "o*", "*e", "*"},
	"request.auth.presenter":      {"one", "o*", "*e", "*"},
	"request.auth.claims[k]":      {"one", "o*", "*e", "*"},
	"request.auth.claims[k][n.m]": {"one", "o*", "*e", "*"},
	"request.headers[x-role]":     {"admin", "ad*", "*in", "*", "a,b"},
	"hosts":                       {"a.example", "A.*", "*.EXAMPLE", "*", "a.example:80"},
	"methods":                     {"GET", "P*", "*T", "*"},
	"paths":                       {"/a", "/a/*", "*/b", "*", "/a/{*}", "/{*}/b", "/a/{**}", "/{*}/{**}"},
	"ports":                       {"80", "443"},
}

// A generator draws requests and policies.
type generator struct{ *rand.Rand }

func seeded(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

// request draws one that can be read in one way only.
func (g generator) request(t testing.TB) *authz.Request {
	address := func() netip.Addr {
		s := pick(g, "", "10.0.0.1", "10.9.9.9", "11.0.0.1", "::1", "fe80::1%eth0", "::ffff:10.0.0.1")
		a, _ := netip.ParseAddr(s)
		return a
	}
	return &authz.Request{
		Peer:   id(t, pick(g, "", "", "td1/ns/a/sa/web", "td2/ns/a/sa/web", "td3/ns/a/sa/web", "td1/ns/b/sa/db", "td2/ns/b/sa/db", "td1/agent", "td1/ns/default/sa/web/x", "td1/x/ns/xy/y/sa/web")),
		TCP:    g.IntN(6) == 0,
		Method: pick(g, "", "GET", "PUT", "POST"),
		Host:   pick(g, "", "a.example", "A.Example", "b.example", "a.test"),
		Path:   pathOf(t, authz.Base, pick(g, "/", "/a", "/a/b", "/a/", "/x/b", "/a/b/c", "/x/../a", "/%61")),
		Header: map[string][]string{"X-Role": pick(g, nil, []string{""}, []string{"admin"}, []string{"ad,in"}, []string{"a,b"})},
		Claims: g.claims(),
		Source: address(), Remote: address(), Destination: address(),
		Port: pick[uint16](g, 0, 80, 443),
		SNI:  pick(g, "", "a.example", "b.example", "abc"),
	}
}

func (g generator) claims() map[string]any {
	if g.IntN(3) == 0 {
		return nil
	}
	return map[string]any{
		"iss": pick[any](g, nil, "iss", "https://i", 1, ""),
		"sub": pick[any](g, nil, "me", "you", "", true),
		"aud": g.claim(), "azp": g.claim(),
		"k": pick(g, g.claim(), any(map[string]any{"n.m": g.claim()})),
	}
}

func (g generator) claim() any {
	return pick[any](g, nil, "one", "two", "", 1, []any{}, []any{"two", 1, "one"}, []any{"off"})
}

func (g generator) some(key string) []string {
	var out []string
	for range g.IntN(3) {
		out = append(out, pick(g, values[key]...))
	}
	return out
}

func (g generator) source() *security.Source {
	list := func(key string) []string {
		if g.IntN(5) > 0 {
			return nil
		}
		return g.some(key)
	}
	s := &security.Source{
		Principals: list("source.principal"), NotPrincipals: list("source.principal"),
		RequestPrincipals: list("request.auth.principal"), NotRequestPrincipals: list("request.auth.principal"),
		Namespaces: list("source.namespace"), NotNamespaces: list("source.namespace"),
		ServiceAccounts: list("source.serviceAccount"), NotServiceAccounts: list("source.serviceAccount"),
		TrustDomains: list("source.trustDomain"), NotTrustDomains: list("source.trustDomain"),
		IpBlocks: list("source.ip"), NotIpBlocks: list("source.ip"),
		RemoteIpBlocks: list("remote.ip"), NotRemoteIpBlocks: list("remote.ip"),
	}
	if len(testsOf(s.ProtoReflect())) == 0 { // an empty one is not valid
		s.Principals = []string{pick(g, values["source.principal"]...)}
	}
	return s
}

func (g generator) operation() *security.Operation {
	list := func(key string) []string {
		if g.IntN(3) > 0 {
			return nil
		}
		return g.some(key)
	}
	o := &security.Operation{
		Hosts: list("hosts"), NotHosts: list("hosts"), Ports: list("ports"), NotPorts: list("ports"),
		Methods: list("methods"), NotMethods: list("methods"), Paths: list("paths"), NotPaths: list("paths"),
	}
	if len(testsOf(o.ProtoReflect())) == 0 {
		o.NotPaths = []string{pick(g, values["paths"]...)}
	}
	return o
}

func (g generator) rule() *security.Rule {
	r := new(security.Rule)
	for range g.IntN(3) {
		r.From = append(r.From, &security.Rule_From{Source: g.source()})
	}
	for range g.IntN(3) {
		r.To = append(r.To, &security.Rule_To{Operation: g.operation()})
	}
	for range g.IntN(2) {
		key := pick(g, keys...)
		r.When = append(r.When, &security.Condition{Key: key, Values: append(g.some(key), values[key][0]), NotValues: g.some(key)})
	}
	return r
}

// keys are those of conditions, in an order that does not change.
var keys = []string{
	"source.principal", "source.namespace", "source.serviceAccount", "source.trustDomain", "source.ip", "remote.ip",
	"destination.ip", "destination.port", "connection.sni", "request.auth.principal", "request.auth.audiences",
	"request.auth.presenter", "request.auth.claims[k]", "request.auth.claims[k][n.m]", "request.headers[x-role]",
}

func (g generator) policy(i int) *rules.AuthorizationPolicy {
	spec := &security.AuthorizationPolicy{Action: security.AuthorizationPolicy_Action(g.IntN(4))}
	for range g.IntN(4) {
		spec.Rules = append(spec.Rules, g.rule())
	}
	if spec.Action == security.AuthorizationPolicy_CUSTOM {
		spec.ActionDetail = provider(pick(g, "opa", "ext"))
	}
	p := object(fmt.Sprint("p", i), spec)
	if action := spec.Action; g.IntN(4) == 0 && (action == security.AuthorizationPolicy_ALLOW || action == security.AuthorizationPolicy_DENY) {
		p.Annotations = map[string]string{"istio.io/dry-run": "true"}
	}
	return p
}

func provider(name string) *security.AuthorizationPolicy_Provider {
	return &security.AuthorizationPolicy_Provider{Provider: &security.AuthorizationPolicy_ExtensionProvider{Name: name}}
}

func object(name string, spec *security.AuthorizationPolicy) *rules.AuthorizationPolicy {
	return &rules.AuthorizationPolicy{Meta: rules.Meta{Kind: "AuthorizationPolicy", Namespace: "default", Name: name}, Spec: spec}
}

// agree compiles the policies, and compares them with the naive ones.
func agree(t testing.TB, policies []*rules.AuthorizationPolicy, requests ...*authz.Request) {
	t.Helper()
	model := naive{policies, []string{"td1", "td2"}}
	p, err := authz.Compile(&rules.Set{AuthorizationPolicies: policies}, reviews, full(t))
	if err != nil {
		t.Fatalf("%v: %v", policies, err)
	}
	for _, r := range requests {
		allowed, audit, shadow := model.decide(r)
		d := p.Decide(r)
		if d.Allowed != allowed || (d.Audit != nil) != audit || d.Shadow.Allowed != shadow {
			t.Fatalf("allowed %t, audit %v, shadow %t; want %t, %t, %t\n%+v\n%s", d.Allowed, d.Audit, d.Shadow.Allowed, allowed, audit, shadow, r, specs(policies))
		}
		if got, want := providersOf(p, r), model.custom(r); !slices.Equal(got, want) {
			t.Fatalf("asks %q, want %q\n%+v\n%s", got, want, r, specs(policies))
		}
	}
}

func providersOf(p *authz.Policies, r *authz.Request) (out []string) {
	for name := range p.Custom(r) {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func specs(policies []*rules.AuthorizationPolicy) (out string) {
	for _, p := range policies {
		out += fmt.Sprintln(p.Spec)
	}
	return out
}

// Every key, with every kind of match, asked for and not, under every action.
func TestCompiledPoliciesAgreeWithNaiveOnes(t *testing.T) {
	g := seeded(1)
	var requests []*authz.Request
	for range 150 {
		requests = append(requests, g.request(t))
	}
	for key := range values {
		t.Run(key, func(t *testing.T) {
			for _, v := range values[key] {
				for action := range security.AuthorizationPolicy_Action(4) {
					agree(t, []*rules.AuthorizationPolicy{one(action, key, []string{v}, nil)}, requests...)
					agree(t, []*rules.AuthorizationPolicy{one(action, key, nil, []string{v})}, requests...)
				}
			}
		})
	}
}

// one is a policy with one list of values.
func one(action security.AuthorizationPolicy_Action, key string, is, isNot []string) *rules.AuthorizationPolicy {
	o := &security.Operation{}
	rule := &security.Rule{To: []*security.Rule_To{{Operation: o}}}
	switch key {
	case "hosts":
		o.Hosts, o.NotHosts = is, isNot
	case "methods":
		o.Methods, o.NotMethods = is, isNot
	case "paths":
		o.Paths, o.NotPaths = is, isNot
	case "ports":
		o.Ports, o.NotPorts = is, isNot
	default:
		rule = &security.Rule{When: []*security.Condition{{Key: key, Values: is, NotValues: isNot}}}
	}
	spec := &security.AuthorizationPolicy{Action: action, Rules: []*security.Rule{rule}}
	if action == security.AuthorizationPolicy_CUSTOM {
		spec.ActionDetail = provider("opa")
	}
	return object("p", spec)
}

func TestCompiledSetsAgreeWithNaiveOnes(t *testing.T) {
	for seed := range uint64(600) {
		agreeOn(t, seed)
	}
}

func FuzzCompiledAgreesWithNaive(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { agreeOn(t, seed) })
}

func agreeOn(t testing.TB, seed uint64) {
	g := seeded(seed)
	var policies []*rules.AuthorizationPolicy
	for i := range 1 + g.IntN(4) {
		policies = append(policies, g.policy(i))
	}
	for range 10 {
		agree(t, policies, g.request(t))
	}
}

// What is missing of a request opens no door: a request that is allowed without
// it is allowed by rules that do not ask, or that ask for its absence.
func TestMissingAttributesAllowNothing(t *testing.T) {
	for key, all := range values {
		p, err := authz.Compile(&rules.Set{AuthorizationPolicies: []*rules.AuthorizationPolicy{one(security.AuthorizationPolicy_ALLOW, key, all, nil)}}, reviews, full(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*authz.Request{{}, {TCP: true}, {Header: map[string][]string{"X-Role": nil}, Claims: map[string]any{}}} {
			if p.Decide(r).Allowed {
				t.Errorf("%s: allowed %+v", key, r)
			}
		}
	}
}

// A path, host or header that can be read in several ways is allowed only if
// the naive policies would allow each reading of it.
func FuzzNoReadingPasses(f *testing.F) {
	f.Add(uint64(1), "/a%2fb", "A.example:80", "admin", "x")
	f.Add(uint64(2), "//a//b", "a.example.", "x", "admin")
	f.Add(uint64(3), `/a%5cb\..`, "a.example", "a", "b")
	f.Fuzz(func(t *testing.T, seed uint64, path, host, role1, role2 string) {
		noReadingPasses(t, seed, path, host, role1, role2)
	})
}

func TestNoReadingPasses(t *testing.T) {
	for seed := range uint64(1500) {
		g := seeded(seed)
		path := "/" + pick(g, "", "a", "b", "x") + pick(g, "/", "//", "%2f", "%5c", `\`) + pick(g, "a", "b", "") + pick(g, "", "/", "%2Fc", "//b")
		host := pick(g, "a.example", "A.example", "a.test") + pick(g, "", ".", ":80", ".:80")
		noReadingPasses(t, seed, path, host, pick(g, "admin", "x", "a"), pick(g, "admin", "x", "b"))
	}
}

func noReadingPasses(t testing.TB, seed uint64, path, host, role1, role2 string) {
	normal, err := authz.Base.Path(path)
	if err != nil {
		return
	}
	g := seeded(seed)
	policies := []*rules.AuthorizationPolicy{g.policy(0), g.policy(1), g.policy(2)}
	p, err := authz.Compile(&rules.Set{AuthorizationPolicies: policies}, reviews, full(t))
	if err != nil {
		t.Fatal(err)
	}
	r := g.request(t)
	r.Path, r.Host, r.Header = normal, host, map[string][]string{"X-Role": {role1, role2}}
	if !p.Decide(r).Allowed {
		return
	}
	for _, reading := range readings(*r) {
		if denied(policies, r, reading) {
			t.Fatalf("allowed, and not read as path %q, host %q, header %q\n%s", reading.Path.Decoded(), reading.Host, reading.Header, specs(policies))
		}
	}
}

// denied says whether naive policies deny a reading of the request. Hosts and
// headers that ALLOW asks for, or that DENY spares, count as they were sent.
func denied(policies []*rules.AuthorizationPolicy, r, reading *authz.Request) bool {
	model := naive{policies, []string{"td1", "td2"}}
	if reading.Host == r.Host && len(reading.Header["X-Role"]) == 2 {
		allowed, _, _ := model.decide(reading)
		return !allowed
	}
	return !sparing(policies) && model.any(reading, security.AuthorizationPolicy_DENY, false)
}

// sparing reports whether a policy denies all but some hosts or headers.
func sparing(policies []*rules.AuthorizationPolicy) bool {
	for _, p := range policies {
		for _, rule := range p.Spec.Rules {
			if slices.ContainsFunc(rule.To, func(to *security.Rule_To) bool { return len(to.Operation.NotHosts) > 0 }) ||
				slices.ContainsFunc(rule.When, func(w *security.Condition) bool { return len(w.NotValues) > 0 }) {
				return true
			}
		}
	}
	return false
}
