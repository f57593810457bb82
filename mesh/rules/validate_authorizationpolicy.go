package rules

import (
	"strconv"

	security "istio.io/api/security/v1beta1"
)

// Istio's limits on the size of an AuthorizationPolicy.
const (
	maxAccessRules = 512
	maxSources     = 512
	maxAccounts    = 16
)

// validateAuthorizationPolicy reports what is wrong with an AuthorizationPolicy.
func validateAuthorizationPolicy(c *checker, p *security.AuthorizationPolicy) {
	checkFields(c, p)
	validateTargets(c, p)
	validateDryRun(c, p.Action)
	validateAction(c, p)
	validateCount(c, "spec.rules", len(p.Rules), maxAccessRules)
	for i, r := range p.Rules {
		validateAccessRule(c, nth("spec.rules", i), r, p.Action)
	}
}

// validateDryRun checks the annotation with which a decision is only recorded.
func validateDryRun(c *checker, action security.AuthorizationPolicy_Action) {
	value, ok := c.meta.Annotations[AnnotationDryRun]
	if !ok {
		return
	}
	path := entry("metadata.annotations", AnnotationDryRun)
	if _, err := strconv.ParseBool(value); err != nil {
		c.invalid(path, "%q: want true or false", brief(value))
	}
	if action != security.AuthorizationPolicy_ALLOW && action != security.AuthorizationPolicy_DENY {
		c.invalid(path, "%q beside action %s: want ALLOW or DENY", brief(value), action)
	}
}

// validateAction checks what an action needs. The absence of rules means the
// same to Istio as an empty list; under ALLOW both match nothing.
func validateAction(c *checker, p *security.AuthorizationPolicy) {
	custom := p.Action == security.AuthorizationPolicy_CUSTOM
	if len(p.Rules) == 0 && (custom || p.Action == security.AuthorizationPolicy_DENY) {
		c.invalid("spec.rules", "missing: %s without rules never acts; to match every request, write [{}]", p.Action)
	}
	switch {
	case custom && p.GetProvider().GetName() == "":
		c.invalid("spec.provider.name", "missing: action CUSTOM wants the name of a provider")
	case !custom && p.GetProvider() != nil:
		c.invalid("spec.provider", "stands beside action %s: want it with CUSTOM only", p.Action)
	}
}

func validateAccessRule(c *checker, path string, r *security.Rule, action security.AuthorizationPolicy_Action) {
	early := action == security.AuthorizationPolicy_CUSTOM
	warnOpen(c, path, "from", len(r.From), "any source")
	warnOpen(c, path, "to", len(r.To), "any operation")
	warnOpen(c, path, "when", len(r.When), "no condition")
	validateCount(c, path+".from", len(r.From), maxSources)
	for i, from := range r.From {
		validateCriteria(c, item(path, "from", i)+".source", from.Source != nil, sourceCriteria(from.Source), early)
		validateAccounts(c, item(path, "from", i)+".source", from.Source)
	}
	for i, to := range r.To {
		validateCriteria(c, item(path, "to", i)+".operation", to.Operation != nil, operationCriteria(to.Operation), early)
	}
	for i, when := range r.When {
		validateCondition(c, item(path, "when", i), when, early)
	}
}

// warnOpen names an empty list, which does not mean what it seems to: nobody.
func warnOpen(c *checker, path, field string, n int, meaning string) {
	if at := path + "." + field; n == 0 && c.written(at) {
		c.warn(at, "an empty list means %s, as if it were left out", meaning)
	}
}

// validateAccounts checks how many service accounts there are, and what may not
// stand beside them.
func validateAccounts(c *checker, path string, s *security.Source) {
	validateCount(c, path+".serviceAccounts", len(s.GetServiceAccounts()), maxAccounts)
	validateCount(c, path+".notServiceAccounts", len(s.GetNotServiceAccounts()), maxAccounts)
	if len(s.GetServiceAccounts())+len(s.GetNotServiceAccounts()) == 0 {
		return
	}
	for _, f := range []struct {
		field  string
		values []string
	}{
		{"principals", s.Principals}, {"notPrincipals", s.NotPrincipals},
		{"namespaces", s.Namespaces}, {"notNamespaces", s.NotNamespaces},
	} {
		if len(f.values) > 0 {
			c.invalid(path+"."+f.field, "stands beside serviceAccounts: want one or the other")
		}
	}
}
