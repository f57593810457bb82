package mesh

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// A ClusterStatus is one destination as this process sees it.
type ClusterStatus struct {
	Service  string            `json:"service"`
	Port     uint16            `json:"port,omitempty"`
	Subset   string            `json:"subset,omitempty"`
	Via      string            `json:"via,omitempty"`    // a connection of the caller's own that carries the calls
	Labels   map[string]string `json:"labels,omitempty"` // that the subset's endpoints have
	Policy   *RuleRef          `json:"policy,omitempty"` // the DestinationRule in force; nil: the defaults
	Balance  string            `json:"balance"`
	Requests int               `json:"requests"` // under way
	Pending  int               `json:"pending"`  // waiting for a connection
	Retries  int               `json:"retries"`  // under way
	// Connections are those under way of HTTP/1.1 requests, and raw ones.
	Connections int    `json:"connections"`
	Limits      Limits `json:"limits"`
	// Discovered is when its source last said who there is; zero: never.
	Discovered time.Time `json:"discovered,omitzero"`
	// Trouble is what has ailed the source since then; "" if nothing.
	Trouble   string           `json:"trouble,omitempty"`
	Endpoints []EndpointStatus `json:"endpoints"`
}

// Limits are how much a destination may be used at once. Zero: without limit.
type Limits struct {
	Requests    uint32 `json:"requests,omitempty"`
	Pending     uint32 `json:"pending,omitempty"`
	Connections uint32 `json:"connections,omitempty"`
	Retries     uint32 `json:"retries,omitempty"`
}

// An EndpointStatus is one endpoint as this process sees it.
type EndpointStatus struct {
	Address  string            `json:"address"`
	Labels   map[string]string `json:"labels,omitempty"`
	Locality string            `json:"locality,omitempty"`
	Identity string            `json:"identity,omitempty"` // the SPIFFE ID that discovery expects of it
	Weight   uint32            `json:"weight"`
	Priority int               `json:"priority"` // -1: gets nothing
	// Health is what discovery says: healthy, unhealthy, draining.
	Health    string    `json:"health"`
	Available bool      `json:"available"`
	Circuit   string    `json:"circuit"`          // closed, open, half-open
	Ejections int       `json:"ejections"`        // what multiplies the base ejection time
	Ejected   time.Time `json:"ejected,omitzero"` // beginning of the last ejection
	Until     time.Time `json:"until,omitzero"`   // end of the ejection
	Reason    string    `json:"reason,omitempty"` // of the last ejection
	// Failures are the failures in a row, of a closed circuit.
	Failures uint32 `json:"failures"`
	Active   int64  `json:"active"` // requests of this process under way
	// TLS is how http requests go there: "none", "simple", "mutual" (files that a
	// rule names), or by this process's identity, "identity", with whom that
	// expects if it is somebody in particular.
	TLS string `json:"tls"`
}

// Endpoints asks discovery where a service lives, once: the first word that comes
// before ctx ends. A name without a dot is one of the namespace.
func (m *Mesh) Endpoints(ctx context.Context, name, namespace string) ([]discovery.Endpoint, error) {
	return m.engine.Find(ctx, name, namespace)
}

// Clusters lists the destinations that have been used so far, with their
// endpoints, ordered by name.
func (m *Mesh) Clusters() []ClusterStatus {
	out := []ClusterStatus{}
	now := time.Now()
	for _, cl := range m.engine.Clusters() {
		out = append(out, m.clusterStatus(cl, now))
	}
	slices.SortFunc(out, func(a, b ClusterStatus) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Subset, b.Subset), cmp.Compare(a.Via, b.Via))
	})
	return out
}

func (m *Mesh) clusterStatus(cl *engine.Cluster, now time.Time) ClusterStatus {
	spec, usage, limits := cl.Spec(), cl.Gate().Usage(), cl.Gate().Limits()
	s := ClusterStatus{
		Service: cl.Key.Host, Port: cl.Key.Port, Subset: cl.Key.Subset, Via: cl.Key.Via,
		Labels: spec.Labels, Policy: refOf(spec.Rule), Balance: balanceOf(spec),
		Requests: usage.Requests, Pending: usage.Pending, Retries: usage.Retries, Connections: usage.Connections,
		Limits:    Limits{limits.MaxRequests, limits.MaxPending, limits.MaxConnections, limits.MaxRetries},
		Endpoints: m.endpointsOf(cl, now),
	}
	var trouble error
	if s.Discovered, trouble = cl.Discovered(); trouble != nil {
		s.Trouble = trouble.Error()
	}
	return s
}

func balanceOf(spec *plan.Cluster) string {
	if spec.Passthrough {
		return "passthrough"
	}
	return spec.Balancer.Policy.String()
}

func (m *Mesh) endpointsOf(cl *engine.Cluster, now time.Time) []EndpointStatus {
	out := []EndpointStatus{}
	for _, h := range cl.Hosts() {
		out = append(out, m.endpointStatus(cl, h, now))
	}
	return out
}

func (m *Mesh) endpointStatus(cl *engine.Cluster, h *engine.Host, now time.Time) EndpointStatus {
	ep, info := h.Endpoint(), cl.CircuitInfo(h, now)
	s := EndpointStatus{
		Address: ep.Address, Labels: ep.Labels, Locality: ep.Locality.String(), Identity: ep.Identity,
		Weight: ep.EffectiveWeight(), Priority: h.Priority(), Health: ep.Health.String(), Available: h.Available(),
		Circuit: info.State.String(), Ejections: info.Times, Ejected: info.Since, Until: info.Until,
		Failures: max(info.Consecutive5xx, info.ConsecutiveLocalOrigin),
		Active:   h.Active(), TLS: m.tlsTo(cl.Spec(), &ep),
	}
	if info.Times > 0 {
		s.Reason = info.Reason.String()
	}
	return s
}

func (m *Mesh) tlsTo(spec *plan.Cluster, ep *discovery.Endpoint) string {
	switch spec.TLS.Mode {
	case plan.TLSSimple:
		return "simple"
	case plan.TLSMutual:
		return "mutual"
	}
	switch expect, mutual := spec.MutualTLS(ep, m.config.Identity != nil); {
	case !mutual:
		return "none"
	case expect != "":
		return "identity, expecting " + expect
	}
	return "identity"
}
