package guard

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/internal/ratelimit"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// Config is what a Guard is made of.
type Config struct {
	Workload      plan.Workload
	RootNamespace string
	Own           *tlsid.Current // this side's credential, which says whom it trusts
	Aliases       []tlsid.TrustDomain
	// Providers decide for CUSTOM policies, by the name that these call them. An
	// error refuses the request.
	Providers map[string]Provider
	// TrustedProxies is how many proxies stand before this process and append to
	// X-Forwarded-For.
	TrustedProxies int
	// Report is told of trouble with the keys of tokens; it may be called by
	// several goroutines.
	Report func(error)
}

// A Provider decides for a CUSTOM policy. v is to be read only.
type Provider func(ctx context.Context, v *Visit, by *authz.Rule) error

// A Guard holds what stays when rules change: keys, rates, whom it has verified.
type Guard struct {
	config Config
	keys   *jwt.Keyring
	peers  *peers
	orders atomic.Pointer[orders]
	access atomic.Pointer[authz.Checker] // nil: the policies alone decide
}

// orders are the rules in force, as a whole.
type orders struct {
	policies *authz.Policies
	tokens   *jwt.Authenticator
	limits   *ratelimit.Limits
	service  string // whose routes limits may be for
	plan     *plan.Plan
}

// New returns a Guard that lets everything in until Apply is called. Close it.
func New(c Config) *Guard {
	g := &Guard{config: c, keys: jwt.New(jwt.Config{Report: c.Report}), peers: newPeers(c.Own, c.Aliases)}
	none := new(rules.Set)
	policies, _ := g.Compile(none) // there is nothing to find fault with
	g.Apply(none, policies, plan.Compile(none, plan.Options{Workload: c.Workload}))
	return g
}

// Close ends the fetching of keys. What is in force stays in force.
func (g *Guard) Close() { g.keys.Close() }

// Compile compiles the policies of a set. The error is rules.Faults: what cannot
// be enforced, and so must not be put in force without it.
func (g *Guard) Compile(set *rules.Set) (*authz.Policies, error) {
	w := authz.Workload{Namespace: g.config.Workload.Namespace, Labels: g.config.Workload.Labels}
	return authz.Compile(set, w, authz.Options{
		TrustDomain:        g.domain(),
		TrustDomainAliases: g.config.Aliases,
		RootNamespace:      g.config.RootNamespace,
		Providers:          slices.Sorted(maps.Keys(g.config.Providers)),
		TrustedProxies:     g.config.TrustedProxies > 0,
	})
}

// Apply puts a set in force, with the policies that Compile made of it. Requests
// that have been admitted are not called back.
func (g *Guard) Apply(set *rules.Set, policies *authz.Policies, p *plan.Plan) {
	var before *ratelimit.Limits
	if o := g.orders.Load(); o != nil {
		before = o.limits
	}
	w := g.config.Workload
	g.orders.Store(&orders{
		policies: policies,
		tokens:   g.keys.Compile(set.RequestAuthentications, jwt.Workload{Namespace: w.Namespace, Labels: w.Labels}, g.config.RootNamespace),
		limits: ratelimit.Compile(set.RateLimitPolicies, ratelimit.Workload{
			Service: w.Service, Namespace: w.Namespace, TrustDomains: g.domains(),
		}, before),
		service: w.Service,
		plan:    p,
	})
}

// Obey has another voice decide beside the policies, in the place of the one
// before: who is to be let in needs both. A nil Checker lets in nobody.
func (g *Guard) Obey(c authz.Checker) { g.access.Store(&c) }

// Mode is how callers may connect to a port of the workload.
func (g *Guard) Mode(port uint16) authz.Mode { return g.orders.Load().policies.Mode(port) }

// domain is the own trust domain; zero without a credential.
func (g *Guard) domain() tlsid.TrustDomain {
	own, _ := g.config.Own.Load()
	return own.ID().TrustDomain()
}

func (g *Guard) domains() (names []string) {
	for _, d := range append([]tlsid.TrustDomain{g.domain()}, g.config.Aliases...) {
		if !d.IsZero() {
			names = append(names, d.String())
		}
	}
	return names
}
