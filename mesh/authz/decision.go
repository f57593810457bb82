package authz

import (
	"fmt"
	"iter"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A Decision is what the policies say of one request.
type Decision struct {
	Verdict
	// Audit is the first rule of an AUDIT policy that asks for a record of this
	// request; nil if none does. It decides nothing.
	Audit *Rule
	// Shadow is what the policies with the annotation istio.io/dry-run: "true"
	// would have decided, had they been the only ones; allowed where there are
	// none. It decides nothing.
	Shadow Verdict
}

// A Verdict is yes or no, and why.
type Verdict struct {
	Allowed bool
	// By is the rule that decided: of a DENY policy that matched, or of the ALLOW
	// policy that did. It is nil where no rule matched: the request is allowed if
	// no ALLOW policy applies to the workload, else denied.
	By *Rule
}

// noRule is Envoy's word for an ALLOW policy none of whose rules matched.
const noRule = "rbac_access_denied_matched_policy[none]"

// Reason returns, of a denial, what Envoy writes as response code details:
// rbac_access_denied_matched_policy[ns[foo]-policy[bar]-rule[0]], or none for a
// request that no ALLOW rule matched. Of anything else it is "".
func (v Verdict) Reason() string {
	switch {
	case v.Allowed:
		return ""
	case v.By == nil:
		return noRule
	}
	return v.By.reason
}

// A Rule is one of a policy's.
type Rule struct {
	Policy *rules.Meta
	Index  int
	reason string
}

func newRule(policy *rules.Meta, index int) *Rule {
	r := &Rule{Policy: policy, Index: index}
	r.reason = "rbac_access_denied_matched_policy[" + r.String() + "]"
	return r
}

// String returns the rule's name as Istio forms it: ns[foo]-policy[bar]-rule[0].
func (r *Rule) String() string {
	return fmt.Sprintf("ns[%s]-policy[%s]-rule[%d]", r.Policy.Namespace, r.Policy.Name, r.Index)
}

// Custom yields the providers that must all agree to the request, each once,
// with the first rule of a CUSTOM policy that says so. Istio asks them before
// tokens are validated; r.Claims is not looked at.
func (p *Policies) Custom(r *Request) iter.Seq2[string, *Rule] {
	return func(yield func(string, *Rule) bool) {
		for _, c := range p.of(r).custom {
			if by := c.rules.first(r); by != nil && !yield(c.provider, by) {
				return
			}
		}
	}
}

// Decide says whether the request may reach the handler. It allocates nothing
// but where a header has several values or a host has upper case.
func (p *Policies) Decide(r *Request) Decision {
	s := p.of(r)
	return Decision{
		Verdict: s.enforced.judge(r),
		Audit:   s.audit.first(r),
		Shadow:  s.dryRun.judge(r),
	}
}

func (p *Policies) of(r *Request) *stack {
	if r.TCP {
		return &p.connections
	}
	return &p.requests
}

// judge goes by Istio's order: DENY, then ALLOW.
func (a *access) judge(r *Request) Verdict {
	if by := a.deny.first(r); by != nil {
		return Verdict{By: by}
	}
	if !a.restricted {
		return Verdict{Allowed: true}
	}
	by := a.allow.first(r)
	return Verdict{Allowed: by != nil, By: by}
}

// A ruleset matches what any of its rules matches.
type ruleset []rule

// first returns the first rule that matches, in the order of the policies'
// creation; nil if none does.
func (rs ruleset) first(r *Request) *Rule {
	for i := range rs {
		if rs[i].matches(r) {
			return rs[i].id
		}
	}
	return nil
}

// A rule holds if one of its sources, one of its operations and all of its
// conditions do; no sources are any source.
type rule struct {
	id       *Rule
	from, to []clause
	when     clause
}

func (r *rule) matches(request *Request) bool {
	return r.when.holds(request) && anyHolds(r.to, request) && anyHolds(r.from, request)
}

func anyHolds(alternatives []clause, r *Request) bool {
	for _, c := range alternatives {
		if c.holds(r) {
			return true
		}
	}
	return len(alternatives) == 0
}

// A clause holds if all of its conditions do.
type clause []condition

func (c clause) holds(r *Request) bool {
	for _, one := range c {
		if !one.holds(r) {
			return false
		}
	}
	return true
}

// A condition is one list of values of one attribute.
type condition interface{ holds(r *Request) bool }

// not is the negated list: it holds when the attribute is missing.
type not struct{ condition }

func (n not) holds(r *Request) bool { return !n.condition.holds(r) }
