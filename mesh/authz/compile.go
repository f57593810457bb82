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
	scope
	trustDomains []string // the mesh's own first
	providers    []string
	proxies      bool
	faults       rules.Faults

	// The policy at hand.
	policy *rules.AuthorizationPolicy
	dryRun bool
	tcp    bool // compile what a connection is asked
	// leftOut says that the rule at hand asks for what a connection does not show.
	leftOut bool
}

func newCompiler(w Workload, o Options) *compiler {
	return &compiler{
		scope:        newScope(w, o.RootNamespace),
		trustDomains: trustDomainNames(o.TrustDomain, o.TrustDomainAliases),
		providers:    o.Providers,
		proxies:      o.TrustedProxies,
	}
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
	switch {
	case slices.Contains(c.providers, name):
	case len(c.providers) == 0:
		c.refuse("spec.provider.name", "no provider %q: this process has none", name)
	default:
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
// by what a connection does not show.
func (c *compiler) compileRule(spec *security.Rule, field string) (r rule, ok bool) {
	if spec == nil {
		c.refuse(field, "null: want a rule")
	}
	c.leftOut = false
	for i, from := range spec.GetFrom() {
		at := fmt.Sprintf("%s.from[%d].source", field, i)
		r.from = append(r.from, c.compileClause(at, sourceTerms(from.GetSource(), at+".")))
	}
	for i, to := range spec.GetTo() {
		at := fmt.Sprintf("%s.to[%d].operation", field, i)
		r.to = append(r.to, c.compileClause(at, operationTerms(to.GetOperation(), at+".")))
	}
	for i, when := range spec.GetWhen() {
		at := fmt.Sprintf("%s.when[%d]", field, i)
		r.when = append(r.when, c.compileClause(at, c.whenTerms(when, at+"."))...)
	}
	return r, !(c.leftOut && c.allows())
}

// compileClause compiles what must hold together. Of what a connection does not
// show, Istio says (pilot/pkg/security/authz/model/model.go, checkError):
// "Return the error as-is for allow policy. This will make all rules in the
// current permission ignored, effectively result in a smaller allow policy" and
// "Ignore the error for a deny or audit policy […] effectively resulting in a
// wider deny or audit policy".
func (c *compiler) compileClause(field string, terms []term) (out clause) {
	written := len(terms) == 0
	for _, t := range terms {
		if len(t.values)+len(t.notValues) == 0 {
			continue
		}
		written = true
		if c.tcp && t.attribute.requestOnly {
			c.leftOut = true
			continue
		}
		out = append(out, c.compileTerm(t)...)
	}
	if !written { // it would match everything
		c.refuse(field, "empty: want at least one value")
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
