package authz_test

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// naive is what policies mean, written down again as Istio writes it: as regular
// expressions over the text of IDs, one request and one value at a time. It reads
// a request in one way only.
type naive struct {
	policies []*rules.AuthorizationPolicy
	domains  []string // the mesh's trust domains
}

// decide returns whether a request is allowed, and whether policies ask for an
// audit; of the dry run, whether it would be allowed.
func (n naive) decide(r *authz.Request) (allowed, audit, shadow bool) {
	allowed = n.access(r, false)
	shadow = n.access(r, true)
	return allowed, n.any(r, security.AuthorizationPolicy_AUDIT, false), shadow
}

func (n naive) access(r *authz.Request, dryRun bool) bool {
	if n.any(r, security.AuthorizationPolicy_DENY, dryRun) {
		return false
	}
	for _, p := range n.policies {
		if p.Spec.Action == security.AuthorizationPolicy_ALLOW && isDryRun(p) == dryRun {
			return n.any(r, security.AuthorizationPolicy_ALLOW, dryRun)
		}
	}
	return true
}

func isDryRun(p *rules.AuthorizationPolicy) bool { return p.Annotations["istio.io/dry-run"] == "true" }

func (n naive) any(r *authz.Request, action security.AuthorizationPolicy_Action, dryRun bool) bool {
	for _, p := range n.policies {
		for _, rule := range p.Spec.Rules {
			if p.Spec.Action == action && isDryRun(p) == dryRun && n.rule(p, rule, r) {
				return true
			}
		}
	}
	return false
}

// custom lists the providers to ask.
func (n naive) custom(r *authz.Request) (out []string) {
	for _, p := range n.policies {
		for _, rule := range p.Spec.Rules {
			if p.Spec.Action == security.AuthorizationPolicy_CUSTOM && n.rule(p, rule, r) {
				out = append(out, p.Spec.GetProvider().GetName())
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// A test is one list of values.
type test struct {
	key     string
	values  []string
	negated bool
}

// rule: ALLOW rules with anything that a connection does not show are left out,
// of others only that.
func (n naive) rule(p *rules.AuthorizationPolicy, rule *security.Rule, r *authz.Request) bool {
	var all []test
	var from, to [][]test
	for _, f := range rule.From {
		from = append(from, testsOf(f.Source.ProtoReflect()))
		all = append(all, from[len(from)-1]...)
	}
	for _, t := range rule.To {
		to = append(to, testsOf(t.Operation.ProtoReflect()))
		all = append(all, to[len(to)-1]...)
	}
	var when []test
	for _, w := range rule.When {
		when = append(when, test{w.Key, w.Values, false}, test{w.Key, w.NotValues, true})
	}
	for _, t := range append(all, when...) {
		if r.TCP && p.Spec.Action == security.AuthorizationPolicy_ALLOW && len(t.values) > 0 && ofHTTP(t.key) {
			return false
		}
	}
	holds := func(tests []test) bool { return n.hold(p, tests, r) }
	return holds(when) && (len(from) == 0 || slices.ContainsFunc(from, holds)) && (len(to) == 0 || slices.ContainsFunc(to, holds))
}

func ofHTTP(key string) bool {
	return slices.Contains([]string{"hosts", "methods", "paths", "request_principals"}, key) || strings.HasPrefix(key, "request.")
}

// testsOf reads the fields of a Source or an Operation; not_x negates x.
func testsOf(m protoreflect.Message) (out []test) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		name, negated := strings.CutPrefix(string(f.Name()), "not_")
		t := test{key: name, negated: negated}
		for i := range v.List().Len() {
			t.values = append(t.values, v.List().Get(i).String())
		}
		out = append(out, t)
		return true
	})
	return out
}

func (n naive) hold(p *rules.AuthorizationPolicy, tests []test, r *authz.Request) bool {
	for _, t := range tests {
		if len(t.values) == 0 || r.TCP && ofHTTP(t.key) {
			continue
		}
		one := func(v string) bool { return n.one(p.Namespace, t.key, v, r) }
		if slices.ContainsFunc(t.values, one) == t.negated {
			return false
		}
	}
	return true
}

// one says whether one value of one attribute matches.
func (n naive) one(namespace, key, v string, r *authz.Request) bool {
	peer := func(expression string) bool { return !r.Peer.IsZero() && whole(expression, r.Peer.String()) }
	q := regexp.QuoteMeta
	switch key {
	case "principals", "source.principal":
		return slices.ContainsFunc(n.aliases(v), func(v string) bool { return peer(expression(v, "spiffe://")) })
	case "namespaces", "source.namespace":
		return peer("spiffe://[^/]+(/.*)?/ns/" + strings.ReplaceAll(q(v), `\*`, ".*") + "/.*")
	case "service_accounts", "source.serviceAccount":
		ns, account, ok := strings.Cut(v, "/")
		if !ok {
			ns, account = namespace, v
		}
		return peer("spiffe://.+/ns/" + q(ns) + "/(.+/|)sa/" + q(account) + "(/.+)?")
	case "trust_domains", "source.trustDomain":
		names := []string{v}
		if slices.Contains(n.domains, v) {
			names = n.domains
		}
		return slices.ContainsFunc(names, func(v string) bool {
			return peer("spiffe://" + strings.ReplaceAll(q(v), `\*`, "[^/]*") + "(/.*)?")
		})
	case "ip_blocks", "source.ip":
		return inBlock(v, r.Source)
	case "remote_ip_blocks", "remote.ip":
		return inBlock(v, r.Remote)
	case "destination.ip":
		return inBlock(v, r.Destination)
	case "ports", "destination.port":
		return v == strconv.Itoa(int(r.Port))
	case "connection.sni":
		return whole("(?i)"+expression(v, ""), r.SNI)
	case "methods":
		return whole(expression(v, ""), r.Method)
	case "hosts":
		return whole("(?i)"+expression(v, ""), r.Host)
	case "paths":
		return naivePath(v, r.Path.Decoded())
	case "request_principals", "request.auth.principal":
		return naivePrincipal(v, r.Claims)
	case "request.auth.audiences":
		return naiveClaim(v, r.Claims["aud"])
	case "request.auth.presenter":
		return naiveClaim(v, r.Claims["azp"])
	}
	return naiveOf(key, v, r)
}

// naiveOf is about the keys with an argument.
func naiveOf(key, v string, r *authz.Request) bool {
	key, argument, _ := strings.Cut(strings.TrimSuffix(key, "]"), "[")
	switch key {
	case "request.headers":
		for name, values := range r.Header {
			if strings.EqualFold(name, argument) && len(values) > 0 {
				return v == "*" || whole(expression(v, ""), strings.Join(values, ","))
			}
		}
		return false
	case "request.auth.claims":
		var value any = r.Claims
		for name := range strings.SplitSeq(argument, "][") {
			object, _ := value.(map[string]any)
			value = object[name]
		}
		return naiveClaim(v, value)
	}
	panic("no such key: " + key)
}

// aliases: a principal of five parts is the same in all of the mesh's domains.
func (n naive) aliases(v string) []string {
	parts := strings.Split(v, "/")
	if len(parts) != 5 || parts[0] != "cluster.local" && !slices.Contains(n.domains, parts[0]) {
		return []string{v}
	}
	var out []string
	for _, domain := range n.domains {
		out = append(out, domain+"/"+strings.Join(parts[1:], "/"))
	}
	return out
}

// expression is Istio's StringMatcherWithPrefix.
func expression(v, before string) string {
	switch {
	case v == "*":
		return ".+"
	case strings.HasPrefix(v, "*"):
		return before + ".*" + regexp.QuoteMeta(v[1:])
	case strings.HasSuffix(v, "*"):
		return before + regexp.QuoteMeta(v[:len(v)-1]) + ".*"
	}
	return before + regexp.QuoteMeta(v)
}

func whole(expression, s string) bool {
	return regexp.MustCompile("^(?s:" + expression + ")$").MatchString(s)
}

func inBlock(v string, address netip.Addr) bool {
	if !strings.Contains(v, "/") {
		return address.IsValid() && netip.MustParseAddr(v).Unmap() == address.Unmap().WithZone("")
	}
	return netip.MustParsePrefix(v).Contains(address.Unmap().WithZone(""))
}

// naivePath: {*} is a segment, {**} is anything, as in Envoy's uri_template.
func naivePath(v, path string) bool {
	if !strings.Contains(v, "{") {
		return whole(expression(v, ""), path)
	}
	e := strings.NewReplacer(`\{\*\}`, "[^/]+", `\{\*\*\}`, ".*").Replace(regexp.QuoteMeta(v))
	return whole(e, path)
}

func naivePrincipal(v string, claims map[string]any) bool {
	issuer, _ := claims["iss"].(string)
	subject, _ := claims["sub"].(string)
	if v == "*" {
		return issuer != "" && subject != ""
	}
	if !strings.Contains(v, "/") && !strings.Contains(v, "*") || subject == "" {
		return false
	}
	at := strings.LastIndex(v, "/")
	switch {
	case at < 0 && v[0] == '*':
		return issuer != "" && strings.HasSuffix(subject, v[1:])
	case at < 0:
		return strings.HasPrefix(issuer, v[:len(v)-1])
	}
	i, s := v[:at], v[at+1:]
	switch {
	case i == "*":
		return issuer != "" && subject == s
	case strings.HasPrefix(i, "*"):
		return strings.HasSuffix(issuer, i[1:]) && subject == s
	case strings.HasSuffix(s, "*"):
		return issuer == i && strings.HasPrefix(subject, s[:len(s)-1])
	}
	return issuer == i && subject == s
}

// naiveClaim: a string, or a list that contains it; nothing else.
func naiveClaim(v string, value any) bool {
	switch value := value.(type) {
	case string:
		return whole(expression(v, ""), value)
	case []any:
		return slices.ContainsFunc(value, func(e any) bool { s, ok := e.(string); return ok && whole(expression(v, ""), s) })
	}
	return false
}
