package authz

import (
	"fmt"
	"slices"

	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A compiler compiles one policy after the other, and collects what is wrong
// with them.
type compiler struct {
	workload     Workload
	root         string
	trustDomains []string // the mesh's own first
	providers    []string
	proxies      bool
	faults       rules.Faults

	// The policy at hand.
	policy *rules.AuthorizationPolicy
	dryRun bool
	tcp    bool // compile what a connection is asked
}

func newCompiler(w Workload, o Options) *compiler {
	c := &compiler{workload: w, root: o.RootNamespace, providers: o.Providers, proxies: o.TrustedProxies}
	if c.workload.Namespace == "" {
		c.workload.Namespace = defaultNamespace
	}
	if c.root == "" {
		c.root = defaultRootNamespace
	}
	c.trustDomains = trustDomainNames(o.TrustDomain, o.TrustDomainAliases)
	return c
}

func trustDomainNames(own tlsid.TrustDomain, aliases []tlsid.TrustDomain) []string {
	names := []string{defaultTrustDomain}
	if !own.IsZero() {
		names[0] = own.String()
	}
	for _, alias := range aliases {
		names = append(names, alias.String())
	}
	return names
}

// applies says whether a policy is about the workload: it is in the root
// namespace or the workload's own, and selects all or these labels. Those with
// a target are about gateways and waypoints.
func (c *compiler) applies(policy *rules.AuthorizationPolicy) bool {
	if policy.Namespace != c.root && policy.Namespace != c.workload.Namespace {
		return false
	}
	if policy.Spec.GetTargetRef() != nil || len(policy.Spec.GetTargetRefs()) > 0 {
		return false
	}
	return c.selected(policy.Spec.GetSelector().GetMatchLabels())
}

func (c *compiler) selected(labels map[string]string) bool {
	for name, value := range labels {
		if got, ok := c.workload.Labels[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// enter begins with a policy, and looks at what is not in its rules.
func (c *compiler) enter(policy *rules.AuthorizationPolicy) {
	c.policy, c.tcp, c.dryRun = policy, false, false
	switch policy.Spec.GetAction() {
	case security.AuthorizationPolicy_CUSTOM:
		c.checkProvider(policy.Spec.GetProvider().GetName())
	case security.AuthorizationPolicy_ALLOW, security.AuthorizationPolicy_DENY:
		c.dryRun = policy.DryRun()
	case security.AuthorizationPolicy_AUDIT:
	default:
		c.refuse("spec.action", "%s: want ALLOW, DENY, AUDIT or CUSTOM", policy.Spec.GetAction())
	}
}

func (c *compiler) checkProvider(name string) {
	if !slices.Contains(c.providers, name) {
		c.refuse("spec.provider.name", "no provider %q: want one of %q", name, c.providers)
	}
}

// refuse says what cannot be enforced. A policy is compiled twice; the second
// time finds nothing new.
func (c *compiler) refuse(field, format string, args ...any) {
	if c.tcp {
		return
	}
	m := &c.policy.Meta
	c.faults = append(c.faults, rules.Fault{
		Severity: rules.Refused, File: m.File, Line: c.policy.LineOf(field),
		Kind: m.Kind, Namespace: m.Namespace, Name: m.Name,
		Field: field, Message: fmt.Sprintf(format, args...),
	})
}

func (c *compiler) compileRules() ruleset {
	var out ruleset
	for i, spec := range c.policy.Spec.GetRules() {
		r, ok := c.compileRule(spec, fmt.Sprintf("spec.rules[%d]", i))
		if ok {
			r.id = newRule(&c.policy.Meta, i)
			out = append(out, r)
		}
	}
	return out
}

// compileRule returns false for a rule that can match nothing: one that allows
// what a connection does not show.
func (c *compiler) compileRule(spec *security.Rule, field string) (r rule, ok bool) {
	ok = true
	for i, from := range spec.GetFrom() {
		terms := sourceTerms(from.GetSource(), fmt.Sprintf("%s.from[%d].source.", field, i))
		r.from = append(r.from, c.compileClause(terms, &ok))
	}
	for i, to := range spec.GetTo() {
		terms := operationTerms(to.GetOperation(), fmt.Sprintf("%s.to[%d].operation.", field, i))
		r.to = append(r.to, c.compileClause(terms, &ok))
	}
	r.when = c.compileClause(c.whenTerms(spec.GetWhen(), field), &ok)
	return r, ok
}

// compileClause compiles what must hold together. Of what a connection does not
// show, Istio says (pilot/pkg/security/authz/model/model.go, checkError):
// "Return the error as-is for allow policy. This will make all rules in the
// current permission ignored, effectively result in a smaller allow policy" and
// "Ignore the error for a deny or audit policy […] effectively resulting in a
// wider deny or audit policy".
func (c *compiler) compileClause(terms []term, ok *bool) (out clause) {
	for _, t := range terms {
		if written := len(t.values)+len(t.notValues) > 0; written && c.tcp && t.attribute.requestOnly {
			*ok = *ok && !c.allows()
			continue
		}
		out = append(out, c.compileTerm(t)...)
	}
	return out
}

// compileTerm compiles the values of a term and its negated values, each if it
// has any.
func (c *compiler) compileTerm(t term) (out clause) {
	if len(t.values) > 0 {
		l := list{c, t.field, t.argument, t.values, !c.allows()}
		out = append(out, t.attribute.compile(l))
	}
	if len(t.notValues) > 0 {
		l := list{c, t.notField, t.argument, t.notValues, c.allows()}
		out = append(out, not{t.attribute.compile(l)})
	}
	return out
}

// allows says that what the policy at hand matches is let through.
func (c *compiler) allows() bool {
	return c.policy.Spec.GetAction() == security.AuthorizationPolicy_ALLOW
}
