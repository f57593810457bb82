package authz

import (
	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A Workload is whom the policies protect.
type Workload struct {
	Namespace string            // "": default
	Labels    map[string]string // what selectors select by
}

// Options are what the mesh knows beside the rules. The zero value works.
type Options struct {
	// TrustDomain is the mesh's own; zero: cluster.local. A principal of this
	// domain, of one of its aliases or of cluster.local, written in full, means
	// the same workload in all of them.
	TrustDomain        tlsid.TrustDomain
	TrustDomainAliases []tlsid.TrustDomain
	// RootNamespace is where the policies of the whole mesh live; "":
	// istio-system.
	RootNamespace string
	// Providers are the names that CUSTOM policies may name.
	Providers []string
	// TrustedProxies says that Request.Remote is filled, from what a known number
	// of proxies wrote. Else policies that look at it are refused: whoever wants
	// to writes X-Forwarded-For.
	TrustedProxies bool
}

const (
	defaultNamespace     = "default"
	defaultRootNamespace = "istio-system"
	// defaultTrustDomain is Istio's, and in a principal it stands for the mesh's
	// own whatever that is called (pilot/pkg/security/trustdomain/bundle.go).
	defaultTrustDomain = "cluster.local"
)

// Policies are the access rules of one workload. They are immutable; any number
// of goroutines may ask them.
type Policies struct {
	requests, connections stack
	modes                 Modes
}

// A stack is what is asked of a request, in Istio's order.
type stack struct {
	custom   []custom
	audit    ruleset
	enforced access
	dryRun   access
}

// custom are the rules that send a request to a provider.
type custom struct {
	provider string
	rules    ruleset
}

// access is what decides: DENY and ALLOW policies.
type access struct {
	deny, allow ruleset
	// restricted says that an ALLOW policy applies to the workload, if only one
	// without rules: what no rule allows is denied.
	restricted bool
}

// Compile compiles the AuthorizationPolicies and PeerAuthentications of the set
// that apply to the workload. The same input gives the same Policies.
//
// The error, [rules.Faults], names every policy that cannot be enforced: for a
// provider that nobody plugged in, remote addresses without trusted proxies, or a
// value that is none. There are no Policies then, and nobody should be served.
func Compile(set *rules.Set, w Workload, o Options) (*Policies, error) {
	c := newCompiler(w, o)
	p := &Policies{modes: CompileModes(set.PeerAuthentications, w, o.RootNamespace)}
	for _, policy := range set.AuthorizationPolicies {
		if c.applies(policy) {
			c.add(p, policy)
		}
	}
	if err := c.faults.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// add compiles a policy twice: of a connection whose requests nobody sees, it
// asks less.
func (c *compiler) add(p *Policies, policy *rules.AuthorizationPolicy) {
	c.enter(policy)
	c.addTo(&p.requests)
	c.tcp = true
	c.addTo(&p.connections)
}

func (c *compiler) addTo(s *stack) {
	compiled := c.compileRules()
	access := s.access(c.dryRun)
	switch c.policy.Spec.GetAction() {
	case security.AuthorizationPolicy_CUSTOM:
		s.addCustom(c.policy.Spec.GetProvider().GetName(), compiled)
	case security.AuthorizationPolicy_AUDIT:
		s.audit = append(s.audit, compiled...)
	case security.AuthorizationPolicy_DENY:
		access.deny = append(access.deny, compiled...)
	default:
		access.allow = append(access.allow, compiled...)
		access.restricted = true
	}
}

func (s *stack) access(dryRun bool) *access {
	if dryRun {
		return &s.dryRun
	}
	return &s.enforced
}

func (s *stack) addCustom(provider string, compiled ruleset) {
	for i := range s.custom {
		if s.custom[i].provider == provider {
			s.custom[i].rules = append(s.custom[i].rules, compiled...)
			return
		}
	}
	s.custom = append(s.custom, custom{provider, compiled})
}
