package report

import (
	"cmp"
	"strings"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/tlsid"
)

// edges are those to one host, as long as what is known of both ends stands. They
// do not change.
type edges struct {
	cluster   *plan.Cluster
	described uint64
	own       tlsid.Credential
	mutual    bool // connections of the mesh's own to the host are by mutual TLS
	known     [edgeKinds]*telemetry.Edge
}

// There is an edge for each protocol, in the clear and over mutual TLS.
const edgeKinds = 2 * 3

func kindOf(p telemetry.Protocol, secure bool) int {
	if secure {
		return 2*int(p) + 1
	}
	return 2 * int(p)
}

// to finds the edge of a call. That of a host is remembered with the host.
func (r *Reporter) to(c *engine.Call, p telemetry.Protocol, secure bool) *telemetry.Edge {
	if c.Host == nil {
		return r.telemetry.Edge(telemetry.Link{Protocol: p, Service: serviceOf(c)})
	}
	have, kind := r.edgesTo(c), kindOf(p, secure)
	if e := have.known[kind]; e != nil {
		return e
	}
	next := *have
	next.known[kind] = r.telemetry.Edge(r.link(c, p, secure))
	c.Host.State.Told.Store(&next)
	return next.known[kind]
}

// edgesTo are those to the call's host that are known.
func (r *Reporter) edgesTo(c *engine.Call) *edges {
	own, _ := r.own.Load()
	spec, described := c.Cluster.Spec(), c.Cluster.Described()
	have, _ := c.Host.State.Told.Load().(*edges)
	if have != nil && have.described == described && have.own == own && have.cluster == spec {
		return have
	}
	ep := c.Host.Endpoint()
	_, mutual := spec.MutualTLS(&ep, own != tlsid.Credential{})
	have = &edges{cluster: spec, described: described, own: own, mutual: mutual}
	c.Host.State.Told.Store(have)
	return have
}

// link is a call's to the host that was picked.
func (r *Reporter) link(c *engine.Call, p telemetry.Protocol, secure bool) telemetry.Link {
	l := telemetry.Link{Protocol: p, Service: serviceOf(c)}
	spec, ep := c.Cluster.Spec(), c.Host.Endpoint()
	if s := spec.Service; s == nil || !s.External {
		l.Peer = Workload(l.Service.Name, l.Service.Namespace, ep.Labels)
	}
	if secure {
		l.Principal = r.principal()
		expect, _ := spec.MutualTLS(&ep, true)
		l.Peer.Principal = cmp.Or(expect, ep.Identity)
	}
	return l
}

// Workload describes a workload of a service by its labels. It has the name that
// its Deployment has by convention, service-version, for nobody in the process
// knows the real one.
func Workload(service, namespace string, labels map[string]string) telemetry.Workload {
	w := telemetry.WorkloadOf(service, namespace, labels)
	if v := labels["version"]; v != "" && service != "" {
		w.Name = service + "-" + v
	}
	return w
}

// serviceOf is what a call is addressed to: the service of the destination, or of
// the request if none was chosen.
func serviceOf(c *engine.Call) telemetry.Service {
	if c.Cluster == nil {
		return unchosen(c)
	}
	spec := c.Cluster.Spec()
	s := named(spec.Discovery)
	if spec.Service != nil {
		s.Namespace = cmp.Or(s.Namespace, spec.Service.Namespace)
		if strings.HasPrefix(spec.Service.Host, "*") { // by its names there would be any number of services
			s.Host, s.Name = spec.Service.Host, spec.Service.Host
		}
	}
	return s
}

func unchosen(c *engine.Call) telemetry.Service {
	if c.Target.VirtualHost == nil {
		return telemetry.Service{Host: c.Target.Name, Name: telemetry.BlackHole}
	}
	return named(c.Service())
}

func named(s discovery.Service) telemetry.Service {
	return telemetry.Service{Host: s.Host, Name: s.Name, Namespace: s.Namespace}
}
