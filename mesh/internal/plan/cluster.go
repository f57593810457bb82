package plan

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/retry"
)

// A ClusterKey names one upstream cluster: all breakers, ejections, counters and
// connections belong to a cluster, and outlive the Plan.
type ClusterKey struct {
	Host   string
	Port   uint16 // 0: the endpoints' own
	Subset string
	Via    string // Target.Via
}

// String is Istio's name of the cluster: outbound|9080|v1|reviews.default.svc.cluster.local.
func (k ClusterKey) String() string {
	return fmt.Sprintf("outbound|%d|%s|%s", k.Port, k.Subset, k.Host)
}

// A Cluster is the policy of one cluster.
type Cluster struct {
	Key       ClusterKey
	Discovery discovery.Service // what to ask a source for
	Service   *Service          // nil: no ServiceEntry describes the host
	Rule      *rules.Meta       // the DestinationRule in force; nil: the defaults
	// Missing says why there is no such cluster (Envoy's NC); "" if there is.
	Missing string

	Labels      map[string]string // that an endpoint must have
	Implied     bool              // no rule defines subsets, so that Labels is version=Subset
	Passthrough bool              // dial the address in the URL, pick nothing
	Hash        *HashKey          // nil: no consistent hashing
	Balancer    balancer.Config
	Limits      breaker.Limits
	Outlier     breaker.Outlier
	Budget      *retry.BudgetConfig // nil: Limits.MaxRetries holds
	Connection  Connection
	TLS         TLS

	namespace string // of the service; "": nobody knows
	peers     *peerView
	basis     *basis
	sources   []*rules.DestinationRule // what Rule was merged of
}

// Key says which cluster serves a destination for a request that is addressed
// to target. A port that the rule writes stands; else the request's, if its URL
// has one; else the destination's own.
func (p *Plan) Key(d *Destination, t Target) ClusterKey {
	k := ClusterKey{Host: or(d.Host, t.Name), Port: d.Port, Subset: d.Subset, Via: t.Via}
	if k.Port == 0 {
		k.Port = t.Port
	}
	if k.Port == 0 {
		k.Port = p.serviceOf(k.Host).defaultPort(t.Protocol)
	}
	if k.Port == 0 && t.Protocol == HTTPS {
		k.Port = 443
	}
	return k
}

// Cluster works out the policy of a cluster. It is pure; who needs it often
// keeps it.
func (p *Plan) Cluster(key ClusterKey) *Cluster {
	service := p.serviceOf(key.Host)
	namespace := p.namespaceOf(key.Host, service)
	sources := p.policiesOf(key.Host, namespace)
	dr := merged(sources)
	c := &Cluster{
		Key: key, Service: service, Discovery: p.names.service(key.Host, key.Port),
		namespace: namespace, peers: p.peers, basis: p.basis, sources: sources,
	}
	if dr != nil {
		c.Rule = dr.meta
	}
	c.Labels, c.Missing = dr.labels(key.Subset)
	c.Implied = key.Subset != "" && (dr == nil || len(dr.subsets) == 0)
	if c.Missing == "" && key.Via == "" {
		c.Missing = service.missingPort(key.Port)
	}
	c.apply(effective(dr, key), p.workload)
	if key.Via != "" {
		c.Labels, c.Passthrough = nil, true
	}
	if b := &c.Balancer; dr != nil && b.Policy == balancer.LeastRequest && dr.meta.Annotations[rules.AnnotationBalancer] == rules.PeakEWMA {
		b.Policy = balancer.PeakEWMA
	}
	return c
}

// Has reports whether an endpoint is one of the cluster's: whether it has the labels
// of the subset. Its place is among its labels, as Istio adds it to them.
func (c *Cluster) Has(e *discovery.Endpoint) bool {
	for name, want := range c.Labels {
		have, ok := e.Labels[name]
		if part := e.Locality.Label(name); part != "" {
			have, ok = part, true
		}
		if !ok || have != want {
			return false
		}
	}
	return true
}

// Service describes a canonical host.
func (p *Plan) Service(host string) discovery.Service { return p.names.service(host, 0) }

// Stands reports whether p says of a cluster what the plan said that c is of, so
// that c need not be made anew.
func (p *Plan) Stands(c *Cluster) bool {
	service := p.serviceOf(c.Key.Host)
	return c.basis == p.basis && c.peers == p.peers && c.Service == service &&
		slices.Equal(c.sources, p.policiesOf(c.Key.Host, p.namespaceOf(c.Key.Host, service)))
}

// ClusterOf is the policy of a service by its name in a namespace.
func (p *Plan) ClusterOf(name, namespace string) *Cluster {
	return p.Cluster(p.Key(&Destination{Host: p.names.canonical(name, namespace)}, Target{}))
}

// hashKey is the consistent-hash key of a destination, as if the request named
// no port.
func (p *Plan) hashKey(d *Destination) *HashKey {
	if d.Host == "" {
		return nil
	}
	return p.Cluster(p.Key(d, Target{})).Hash
}

// serviceOf finds the ServiceEntry of a host: its own, else of the most specific
// wildcard.
func (p *Plan) serviceOf(host string) *Service {
	if i, ok := p.servicePlaces[host]; ok {
		return p.services[i]
	}
	if i, ok := p.wildServices.find(host); ok {
		return p.services[i]
	}
	return nil
}

func (p *Plan) namespaceOf(host string, s *Service) string {
	if s != nil {
		return s.Namespace
	}
	_, namespace, _ := p.names.split(host)
	return namespace
}

// missingPort may be called on nil: without a ServiceEntry any port will do.
func (s *Service) missingPort(port uint16) string {
	if s == nil || len(s.Ports) == 0 {
		return ""
	}
	if _, ok := s.port(port); ok {
		return ""
	}
	var have []string
	for _, p := range s.Ports {
		have = append(have, strconv.Itoa(int(p.Number)))
	}
	if port == 0 {
		return fmt.Sprintf("%s has ports %s, none of which is named http or is 80: write one in the URL or in destination.port", s.Host, strings.Join(have, ", "))
	}
	return fmt.Sprintf("%s has no port %d, only %s: write destination.port", s.Host, port, strings.Join(have, ", "))
}

// labels are what an endpoint of the subset must carry. Where no rule of the
// host defines any subset, subset X means version=X: that is not Istio's, which
// has no such cluster, and lets a canary do with one file.
func (d *destinationRule) labels(subset string) (labels map[string]string, missing string) {
	switch s := d.subset(subset); {
	case subset == "":
		return nil, ""
	case s != nil:
		return s.Labels, ""
	case d == nil || len(d.subsets) == 0:
		return map[string]string{"version": subset}, ""
	}
	return nil, fmt.Sprintf("subset %q is not defined by DestinationRule %s/%s", subset, d.meta.Namespace, d.meta.Name)
}

// blocks are the parts of a TrafficPolicy that are replaced as wholes.
type blocks struct {
	lb      *networking.LoadBalancerSettings
	pool    *networking.ConnectionPoolSettings
	outlier *networking.OutlierDetection
	tls     *networking.ClientTLSSettings
	budget  *networking.TrafficPolicy_RetryBudget
}

// effective is the policy of a port and subset. A port's entry replaces all of
// its blocks, those that it leaves out by the defaults. A subset's policy
// replaces the blocks that it has.
func effective(d *destinationRule, key ClusterKey) blocks {
	if d == nil {
		return blocks{}
	}
	base := level(d.policy, key.Port)
	s := d.subset(key.Subset)
	if s == nil || s.TrafficPolicy == nil {
		return base
	}
	own := level(s.TrafficPolicy, key.Port)
	if entry := portEntry(s.TrafficPolicy, key.Port); entry != nil {
		own.budget = first(s.TrafficPolicy.RetryBudget, base.budget) // a port entry cannot carry it
		return own
	}
	return blocks{
		lb:      first(own.lb, base.lb),
		pool:    first(own.pool, base.pool),
		outlier: first(own.outlier, base.outlier),
		tls:     first(own.tls, base.tls),
		budget:  first(own.budget, base.budget),
	}
}

func level(p *networking.TrafficPolicy, port uint16) blocks {
	if entry := portEntry(p, port); entry != nil {
		return blocks{lb: entry.LoadBalancer, pool: entry.ConnectionPool, outlier: entry.OutlierDetection, tls: entry.Tls}
	}
	return blocks{p.GetLoadBalancer(), p.GetConnectionPool(), p.GetOutlierDetection(), p.GetTls(), p.GetRetryBudget()}
}

func portEntry(p *networking.TrafficPolicy, port uint16) *networking.TrafficPolicy_PortTrafficPolicy {
	for _, entry := range p.GetPortLevelSettings() {
		if port != 0 && uint16(entry.GetPort().GetNumber()) == port {
			return entry
		}
	}
	return nil
}

func first[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// Original is the one endpoint of a passthrough cluster: the host of the request
// itself, looked up when it is dialled, or the connection that carries it.
func (c *Cluster) Original() discovery.Endpoint {
	if c.Key.Via != "" {
		return discovery.Endpoint{Address: c.Key.Via}
	}
	port := cmp.Or(c.Key.Port, schemePort("http"))
	host := strings.Trim(c.Service.reachedBy(c.Key.Host), "[]")
	return discovery.Endpoint{Address: net.JoinHostPort(host, strconv.Itoa(int(port)))}
}
