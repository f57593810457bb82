package authz_test

import (
	"slices"
	"testing"

	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

const none = "rbac_access_denied_matched_policy[none]"

func TestOrderOfActions(t *testing.T) {
	get, post := &authz.Request{Method: "GET"}, &authz.Request{Method: "POST"}
	allowGet := policy("a", `rules: [{to: [{operation: {methods: [GET]}}]}]`)
	denyGet := policy("d", `action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]`)
	allowAll, allowNone := policy("all", `rules: [{}]`), policy("none", `rules: []`)
	const denied = "rbac_access_denied_matched_policy[ns[default]-policy[d]-rule[0]]"
	for _, c := range []struct {
		name      string
		policies  []string
		get, post string // the reasons of denials
	}{
		{"no policy", nil, "", ""},
		{"ALLOW of some", []string{allowGet}, "", none},
		{"ALLOW without rules denies all", []string{allowNone}, none, none},
		{"ALLOW without rules beside another", []string{allowNone, allowGet}, "", none},
		{"ALLOW of the empty rule", []string{allowAll}, "", ""},
		{"an absent list of rules is an empty one", []string{policy("nil", ``)}, none, none},
		{"DENY of some", []string{denyGet}, denied, ""},
		{"DENY before ALLOW", []string{allowAll, denyGet}, denied, ""},
		{"DENY of the empty rule", []string{policy("d", `action: DENY, rules: [{}]`), allowAll}, denied, denied},
		{"AUDIT decides nothing", []string{policy("x", `action: AUDIT, rules: [{}]`)}, "", ""},
		{"AUDIT is no ALLOW", []string{policy("x", `action: AUDIT, rules: [{}]`), allowGet}, "", none},
		{"CUSTOM decides nothing here", []string{policy("x", `action: CUSTOM, provider: {name: opa}, rules: [{}]`)}, "", ""},
		{"policies of one action are alternatives", []string{allowGet, policy("b", `rules: [{to: [{operation: {methods: [POST]}}]}]`)}, "", ""},
		{"the mesh's DENY", []string{policy("istio-system/d", `action: DENY, rules: [{}]`), allowAll},
			"rbac_access_denied_matched_policy[ns[istio-system]-policy[d]-rule[0]]", "rbac_access_denied_matched_policy[ns[istio-system]-policy[d]-rule[0]]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := compile(t, c.policies...)
			wantReason(t, p, get, c.get)
			wantReason(t, p, post, c.post)
		})
	}
}

func wantReason(t *testing.T, p *authz.Policies, r *authz.Request, want string) {
	t.Helper()
	d := p.Decide(r)
	if d.Reason() != want || d.Allowed != (want == "") {
		t.Errorf("%s: allowed %t, reason %q; want reason %q", r.Method, d.Allowed, d.Reason(), want)
	}
}

func TestSelection(t *testing.T) {
	deny := func(name, selector string) string { return policy(name, selector+`action: DENY, rules: [{}]`) }
	for _, c := range []struct {
		name    string
		policy  string
		applies bool
	}{
		{"no selector", deny("p", ""), true},
		{"label", deny("p", "selector: {matchLabels: {app: reviews}}, "), true},
		{"all labels", deny("p", "selector: {matchLabels: {app: reviews, version: v1}}, "), true},
		{"another value", deny("p", "selector: {matchLabels: {app: reviews, version: v2}}, "), false},
		{"a label that the workload lacks", deny("p", "selector: {matchLabels: {tier: ''}}, "), false},
		{"another namespace", deny("other/p", ""), false},
		{"another namespace with labels", deny("other/p", "selector: {matchLabels: {app: reviews}}, "), false},
		{"root namespace", deny("istio-system/p", ""), true},
		{"root namespace with labels", deny("istio-system/p", "selector: {matchLabels: {app: reviews}}, "), true},
		{"root namespace with others' labels", deny("istio-system/p", "selector: {matchLabels: {app: ratings}}, "), false},
		{"target", deny("p", "targetRef: {kind: Gateway, name: g, group: gateway.networking.k8s.io}, "), false},
		{"targets", deny("p", "targetRefs: [{kind: Service, name: s}], "), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := !compile(t, c.policy).Decide(&authz.Request{}).Allowed; got != c.applies {
				t.Errorf("applies: %t, want %t", got, c.applies)
			}
		})
	}
}

func TestRootNamespaceOfTheMesh(t *testing.T) {
	set := parse(t, policy("mesh/p", `action: DENY, rules: [{}]`))
	p, err := authz.Compile(set, authz.Workload{}, authz.Options{RootNamespace: "mesh"})
	if err != nil || p.Decide(&authz.Request{}).Allowed {
		t.Errorf("allowed, or error %v: the policy is in the root namespace", err)
	}
}

func TestDecisionNamesPolicyAndRule(t *testing.T) {
	p := compile(t, policy("shop/p", ``), policy("p", `action: DENY, rules: [{to: [{operation: {methods: [PUT]}}]}, {to: [{operation: {methods: [GET]}}]}]`),
		policy("a", `rules: [{to: [{operation: {methods: [HEAD, POST]}}]}]`), policy("log", `action: AUDIT, rules: [{to: [{operation: {methods: [HEAD]}}]}]`))
	deny := p.Decide(&authz.Request{Method: "GET"})
	if deny.By == nil || deny.By.Policy.Name != "p" || deny.By.Index != 1 || deny.By.String() != "ns[default]-policy[p]-rule[1]" {
		t.Errorf("denied by %v, want rule 1 of p", deny.By)
	}
	if deny.By.Policy.File != "access.yaml" || deny.By.Policy.Line == 0 {
		t.Errorf("denied by a rule of %s:%d, want where it stands", deny.By.Policy.File, deny.By.Policy.Line)
	}
	if allow := p.Decide(&authz.Request{Method: "HEAD"}); allow.By.String() != "ns[default]-policy[a]-rule[0]" || allow.Audit.String() != "ns[default]-policy[log]-rule[0]" {
		t.Errorf("allowed by %v, audit by %v", allow.By, allow.Audit)
	}
	if allow := p.Decide(&authz.Request{Method: "POST"}); allow.Audit != nil {
		t.Errorf("audit by %v, want none", allow.Audit)
	}
}

func TestDryRunDecidesNothing(t *testing.T) {
	get := &authz.Request{Method: "GET"}
	const denyGet = `action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]`
	for _, c := range []struct {
		name            string
		policies        []string
		allowed, shadow bool
	}{
		{"none", nil, true, true},
		{"deny", []string{dryRun("p", denyGet)}, true, false},
		{"allow of nothing is no ALLOW policy", []string{dryRun("p", ``)}, true, false},
		{"allow", []string{dryRun("p", `rules: [{}]`)}, true, true},
		{"deny and allow", []string{dryRun("p", denyGet), dryRun("q", `rules: [{}]`)}, true, false},
		{"what is enforced casts no shadow", []string{policy("p", denyGet), dryRun("q", `rules: [{}]`)}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := compile(t, c.policies...).Decide(get)
			if d.Allowed != c.allowed || d.Shadow.Allowed != c.shadow {
				t.Errorf("allowed %t, shadow %t; want %t, %t", d.Allowed, d.Shadow.Allowed, c.allowed, c.shadow)
			}
		})
	}
}

func TestCustomAsksEachProviderOnce(t *testing.T) {
	const get = `rules: [{to: [{operation: {methods: [GET]}}]}]`
	p := compile(t,
		policy("a", `action: CUSTOM, provider: {name: opa}, `+get),
		policy("b", `action: CUSTOM, provider: {name: ext}, `+get),
		policy("c", `action: CUSTOM, provider: {name: opa}, rules: [{}]`),
		policy("d", `action: CUSTOM, provider: {name: ext}, rules: [{when: [{key: "request.headers[x]", values: [v]}]}]`))
	ask := func(r *authz.Request) (asked []string) {
		for provider, by := range p.Custom(r) {
			asked = append(asked, provider+" for "+by.Policy.Name)
		}
		slices.Sort(asked)
		return asked
	}
	if got := ask(&authz.Request{Method: "GET"}); !slices.Equal(got, []string{"ext for b", "opa for a"}) {
		t.Errorf("GET: asked %q", got)
	}
	if got := ask(&authz.Request{Method: "PUT"}); !slices.Equal(got, []string{"opa for c"}) {
		t.Errorf("PUT: asked %q", got)
	}
	for range p.Custom(&authz.Request{Method: "GET"}) {
		break // asks nobody else
	}
}

func TestOfAConnectionLessIsAsked(t *testing.T) {
	at := func(port uint16) *authz.Request { return &authz.Request{TCP: true, Port: port} }
	const portAndPath = `to: [{operation: {ports: ["80"], paths: [/a]}}]`
	for _, c := range []struct {
		name          string
		policy        string
		port80, other bool // allowed
	}{
		{"ALLOW by port", allowing(`to: [{operation: {ports: ["80"]}}]`), true, false},
		{"ALLOW by what is not seen allows nothing", allowing(portAndPath), false, false},
		{"nor does it by what is not in the header", allowing(`when: [{key: "request.headers[x]", notValues: [v]}]`), false, false},
		{"nor by one of several operations", allowing(`to: [{operation: {ports: ["80"]}}, {operation: {paths: [/a]}}]`), false, false},
		{"DENY by port", denying(`to: [{operation: {ports: ["80"]}}]`), false, true},
		{"DENY by what is not seen looks at the rest", denying(portAndPath), false, true},
		{"DENY by what is not seen only denies all", denying(`to: [{operation: {paths: [/a]}}]`), false, false},
		{"DENY by token denies all", denying(`from: [{source: {notRequestPrincipals: ["*"]}}]`), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := compile(t, c.policy)
			if got := p.Decide(at(80)).Allowed; got != c.port80 {
				t.Errorf("port 80: allowed %t", got)
			}
			if got := p.Decide(at(443)).Allowed; got != c.other {
				t.Errorf("port 443: allowed %t", got)
			}
		})
	}
}

func TestWhatCannotBeEnforcedIsRefused(t *testing.T) {
	for _, c := range []struct{ name, policy, want string }{
		{"provider", policy("p", `action: CUSTOM, provider: {name: who}, rules: [{}]`),
			`access.yaml:4: AuthorizationPolicy default/p: spec.provider.name: no provider "who": this process has none`},
		{"remote blocks", allowing(`from: [{source: {remoteIpBlocks: [1.2.3.4]}}]`),
			`access.yaml:4: AuthorizationPolicy default/p: spec.rules[0].from[0].source.remoteIpBlocks: needs the number of proxies that are trusted to name the client`},
		{"remote condition", denying(`when: [{key: remote.ip, notValues: [1.2.3.4]}]`),
			`access.yaml:4: AuthorizationPolicy default/p: spec.rules[0].when[0].notValues: needs the number of proxies that are trusted to name the client`},
		{"a header that servers hide", denying(`when: [{key: "request.headers[Transfer-Encoding]", values: [chunked]}]`),
			`access.yaml:4: AuthorizationPolicy default/p: spec.rules[0].when[0].key: request.headers[transfer-encoding]: the server shows it to nobody`},
		{"the path as a header", denying(`when: [{key: "request.headers[:path]", values: [/a]}]`),
			`access.yaml:4: AuthorizationPolicy default/p: spec.rules[0].when[0].key: request.headers[:path]: want :authority, :method, or the paths of an operation`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := authz.Compile(parse(t, c.policy), reviews, authz.Options{})
			if p != nil || err == nil || err.Error() != c.want {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

// Rules come validated; were they not, nothing would be served.
func TestWhatIsNotValidIsRefused(t *testing.T) {
	access := func(rules ...*security.Rule) *security.AuthorizationPolicy {
		return &security.AuthorizationPolicy{Rules: rules}
	}
	from := func(s *security.Source) *security.AuthorizationPolicy {
		return access(&security.Rule{From: []*security.Rule_From{{Source: s}}})
	}
	to := func(o *security.Operation) *security.AuthorizationPolicy {
		return access(&security.Rule{To: []*security.Rule_To{{Operation: o}}})
	}
	when := func(key string, values ...string) *security.AuthorizationPolicy {
		return access(&security.Rule{When: []*security.Condition{{Key: key, Values: values}}})
	}
	const at = "AuthorizationPolicy default/p: spec.rules[0]"
	for _, c := range []struct {
		spec *security.AuthorizationPolicy
		want string
	}{
		{&security.AuthorizationPolicy{Action: 7}, "AuthorizationPolicy default/p: spec.action: 7: want ALLOW, DENY, AUDIT or CUSTOM"},
		{access(nil), at + ": null: want a rule"},
		{from(nil), at + ".from[0].source: empty: want at least one value"},
		{from(&security.Source{}), at + ".from[0].source: empty: want at least one value"},
		{to(nil), at + ".to[0].operation: empty: want at least one value"},
		{from(&security.Source{NotIpBlocks: []string{"1.2.3.4", "x"}}), at + `.from[0].source.notIpBlocks[1]: "x": want an address or a CIDR`},
		{to(&security.Operation{Ports: []string{"65536"}}), at + `.to[0].operation.ports[0]: "65536": want a port, 0 to 65535`},
		{when("source.ip"), at + ".when[0]: empty: want at least one value"},
		{when("source.user", "a"), at + `.when[0].key: "source.user": no such attribute`},
		{when("source.ip[x]", "a"), at + `.when[0].key: "source.ip[x]": no such attribute`},
		{when("experimental.envoy.filters.a[b]", "a"), at + `.when[0].key: "experimental.envoy.filters.a[b]": no such attribute`},
		{when("request.headers[]", "a"), at + ".when[0].key: request.headers[]: want request.headers[name]"},
		{when("request.headers[a][b]", "a"), at + ".when[0].key: request.headers[a][b]: want request.headers[name]"},
		{when("request.auth.claims[a", "a"), at + ".when[0].key: request.auth.claims[a: want request.auth.claims[name] or [name][name]"},
		{when("request.auth.claims[a][]", "a"), at + ".when[0].key: request.auth.claims[a][]: want request.auth.claims[name] or [name][name]"},
	} {
		p, err := authz.Compile(&rules.Set{AuthorizationPolicies: []*rules.AuthorizationPolicy{object("p", c.spec)}}, reviews, full(t))
		if p != nil || err == nil || err.Error() != c.want {
			t.Errorf("%v:\ngot  %v\nwant %s", c.spec, err, c.want)
		}
	}
}

func TestWhatIsWrongIsToldAtOnce(t *testing.T) {
	set := parse(t, policy("p", `action: CUSTOM, provider: {name: who}, rules: [{}]`), policy("q", `rules: [{from: [{source: {remoteIpBlocks: [1.2.3.4]}}]}]`))
	_, err := authz.Compile(set, reviews, authz.Options{Providers: []string{"opa"}})
	faults, ok := err.(rules.Faults)
	if !ok || len(faults) != 2 || faults.Worst() != rules.Refused {
		t.Errorf("got %v, want two faults", err)
	}
}

func TestPoliciesOfOthersAreNotLookedAt(t *testing.T) {
	set := parse(t, policy("other/p", `action: CUSTOM, provider: {name: who}, rules: [{}]`))
	if _, err := authz.Compile(set, reviews, authz.Options{}); err != nil {
		t.Error(err)
	}
}
