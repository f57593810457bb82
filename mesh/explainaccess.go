package mesh

import (
	"cmp"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// An AccessExplanation is what the policies would decide about the request on the
// other side, as far as this process can tell: by the rules that it has itself, for
// the workload that discovery describes, with the own identity as the caller's.
type AccessExplanation struct {
	Endpoints []string          `json:"endpoints"` // that it holds for: workloads with these labels
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels"`
	Peer      string            `json:"peer,omitempty"` // who this process proves to be; "": nobody
	Mode      string            `json:"mode"`           // of the port: STRICT, PERMISSIVE or DISABLE
	Allowed   bool              `json:"allowed"`
	Reason    string            `json:"reason"`           // in Istio's words where it is refused
	Policy    *RuleRef          `json:"policy,omitempty"` // that decides; nil: no rule matches
	Rule      int               `json:"rule,omitempty"`   // of the policy, from 0
	// Providers have to agree as well, of policies of action CUSTOM.
	Providers []string `json:"providers,omitempty"`
	// Trial is why policies on trial (istio.io/dry-run) would refuse the request.
	Trial string   `json:"trial,omitempty"`
	Notes []string `json:"notes,omitempty"` // what was assumed, and what cannot be told from here
}

// A callee is a workload on the other side, and the request as it gets it.
type callee struct {
	AccessExplanation
	workload authz.Workload
	request  authz.Request
}

// explainAccess tells the endpoints of a cluster apart by all that policies look at.
func (m *Mesh) explainAccess(x *exchange, cl *engine.Cluster, d *plan.Destination) (out []AccessExplanation) {
	spec, set := cl.Spec(), m.Rules()
	if spec.Passthrough || spec.Service != nil && spec.Service.External {
		return nil
	}
	received := m.received(x, d)
	for _, h := range cl.Hosts() {
		ep := h.Endpoint()
		c := m.calleeAt(&ep, spec, received)
		m.judge(c, set)
		i := slices.IndexFunc(out, func(a AccessExplanation) bool { return a.like(&c.AccessExplanation) })
		if i < 0 {
			out = append(out, c.AccessExplanation)
		} else {
			out[i].Endpoints = append(out[i].Endpoints, ep.Address)
		}
	}
	return out
}

func (a *AccessExplanation) like(b *AccessExplanation) bool {
	return a.Namespace == b.Namespace && a.Peer == b.Peer && a.Mode == b.Mode && a.Reason == b.Reason && maps.Equal(a.Labels, b.Labels)
}

// received is the request as the route and the destination make it.
func (m *Mesh) received(x *exchange, d *plan.Destination) authz.Request {
	c := &x.call
	if isRaw(x.in) {
		return authz.Request{TCP: true}
	}
	r := authz.Request{Method: c.Request.Method, Host: c.Request.Authority, Header: maps.Clone(c.Request.Header)}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	path := c.Request.Path
	if c.Route.Rewrites() {
		path = c.Route.Path(&c.Request, c.Target.PortOf(&c.Request, c.Target.Port))
	}
	if p, err := authz.Base.Path(path); err == nil {
		r.Path = p
	}
	v := c.Values(spoken(x.in.Proto))
	d.Request.ApplyToRequest(r.Header, v)
	if d.RewritesAuthority() {
		r.Host = cmp.Or(d.Authority(v), r.Host)
	}
	return r
}

// ownLabels are what the mesh tells itself by an endpoint's labels, of which no
// policy knows.
const ownLabels = "inmesh.io/"

// calleeAt is the workload behind an endpoint.
func (m *Mesh) calleeAt(ep *discovery.Endpoint, spec *plan.Cluster, r authz.Request) *callee {
	labels := maps.Clone(ep.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	c := &callee{request: r}
	maps.DeleteFunc(labels, func(name, _ string) bool { return strings.HasPrefix(name, ownLabels) })
	if app := spec.Discovery.Name; labels["app"] == "" {
		labels["app"] = app
		c.note("discovery does not tell the label app: it is taken to be " + app)
	}
	c.Endpoints, c.Labels, c.Namespace = []string{ep.Address}, labels, cmp.Or(spec.NamespaceOf(ep), m.config.Workload.Namespace)
	c.workload = authz.Workload{Namespace: c.Namespace, Labels: labels}
	if to, err := netip.ParseAddrPort(ep.Address); err == nil {
		c.request.Destination, c.request.Port = to.Addr().Unmap(), to.Port()
	}
	if _, mutual := spec.MutualTLS(ep, m.config.Identity != nil); mutual {
		c.request.Peer = m.identity.own().ID()
		c.Peer = c.request.Peer.String()
	}
	return c
}

func (c *callee) note(text string) { c.Notes = append(c.Notes, text) }

// judge asks the policies. All providers are taken to be known, and addresses of
// callers not to be.
func (m *Mesh) judge(c *callee, set *rules.Set) {
	policies, err := authz.Compile(set, c.workload, authz.Options{
		TrustDomain: m.identity.own().ID().TrustDomain(), TrustDomainAliases: m.config.aliases(),
		RootNamespace: m.config.RootNamespace, Providers: providersOf(set), TrustedProxies: true,
	})
	if err != nil {
		c.Mode, c.Reason = authz.Permissive.String(), err.Error()
		return
	}
	mode := policies.Mode(c.request.Port)
	c.Mode = mode.String()
	m.noteTokens(c, set)
	if mode == authz.Strict && c.request.Peer.IsZero() {
		c.Reason = "the port takes mutual TLS only (PeerAuthentication STRICT), and the request would come in plaintext"
		return
	}
	c.decide(policies)
}

func (c *callee) decide(policies *authz.Policies) {
	for provider := range policies.Custom(&c.request) {
		c.Providers = append(c.Providers, provider)
	}
	d := policies.Decide(&c.request)
	c.Allowed, c.Reason, c.Trial = d.Allowed, d.Reason(), d.Shadow.Reason()
	switch {
	case d.By != nil:
		c.Policy, c.Rule = refOf(d.By.Policy), d.By.Index
		c.Reason = cmp.Or(c.Reason, "allowed by "+d.By.String())
	case d.Allowed:
		c.Reason = "no AuthorizationPolicy restricts the workload, or stops the request"
	}
}

func providersOf(set *rules.Set) (out []string) {
	for _, p := range set.AuthorizationPolicies {
		if name := p.Spec.GetProvider().GetName(); name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// noteTokens says what cannot be told without asking for keys.
func (m *Mesh) noteTokens(c *callee, set *rules.Set) {
	root := cmp.Or(m.config.RootNamespace, "istio-system")
	for _, ra := range set.RequestAuthentications {
		if (ra.Namespace == root || ra.Namespace == c.Namespace) && plan.SubsetOf(ra.Spec.GetSelector().GetMatchLabels(), c.Labels) {
			c.note("RequestAuthentication " + ra.Namespace + "/" + ra.Name + " looks at tokens on the other side: here the request counts as one without")
		}
	}
	if strings.HasPrefix(c.Labels["app"], "*") {
		c.note("by a wildcard host nobody can tell which workload it is")
	}
}
