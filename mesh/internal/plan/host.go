package plan

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A VirtualHost is a host with its routes, compiled.
type VirtualHost struct {
	// Host is canonical; for a wildcard rule it is the wildcard.
	Host    string
	Service *Service    // nil: no ServiceEntry describes the host
	Rule    *rules.Meta // the VirtualService that owns the host; nil: the default route
	Routes  []*Route
	// Losers are rules that name the host too and have no effect on it: rules are
	// not merged, the first one owns the host.
	Losers []*rules.Meta

	// Next is the rule to ask for ports that this one has no route for.
	Next *VirtualHost

	source   *rules.VirtualService // of Rule
	fallback *Route
	tcp      []*Route // for raw connections, of all rules that name the host
	byPort   bool     // some match of a route is for a port
}

// A Target is what a request is addressed to.
type Target struct {
	*VirtualHost
	Name string // canonical host of this request
	Port uint16 // written in the URL; 0 if none is
	// Protocol is the request's, of which a port may be.
	Protocol Protocol
	// Via is a connection of the caller's own, which carries the request whatever
	// host it picks; "": the mesh picks.
	Via string
}

// Lookup finds the virtual host of an authority. The VirtualHost is nil if no
// rule names the host; Name and Port are set in any case.
func (p *Plan) Lookup(authority string) (t Target) {
	known := p.asked.place(authority).Load()
	if known == nil || known.authority != authority {
		return p.remember(authority)
	}
	t.VirtualHost, t.Name, t.Port = known.host, known.name, known.port
	return t
}

func (p *Plan) find(authority string) Target {
	if i, ok := p.exact[authority]; ok {
		v := p.virtualHost(i)
		return Target{VirtualHost: v, Name: v.Host}
	}
	name, port := splitPort(authority)
	name = normalize(name)
	if i, ok := p.exact[name]; ok {
		v := p.virtualHost(i)
		return Target{VirtualHost: v, Name: v.Host, Port: port}
	}
	name = p.names.canonical(name, p.workload.Namespace)
	if i, ok := p.wild.find(name); ok {
		return Target{VirtualHost: p.virtualHost(i), Name: name, Port: port}
	}
	return Target{Name: name, Port: port}
}

// Default is the virtual host of a service that no rule describes: one route to
// the service itself.
func (p *Plan) Default(name string) *VirtualHost {
	route := p.defaultRoute(name)
	return &VirtualHost{Host: name, Routes: []*Route{route}, fallback: route}
}

// virtualHost is made when it is first asked for, and once: of two that ask at a
// time both get the first.
func (p *Plan) virtualHost(i int) *VirtualHost {
	at := &p.virtual[i]
	if v := at.Load(); v != nil {
		return v
	}
	at.CompareAndSwap(nil, p.resolve(&p.hosts[i]))
	return at.Load()
}

// resolve decides which rule owns the host: the first that yields a route for
// this workload. A host without a rule of its own belongs to the most specific
// wildcard rule that covers it; but a host whose own rules all exclude this
// workload gets its default route, not the wildcard's.
func (p *Plan) resolve(h *host) *VirtualHost {
	v := &VirtualHost{Host: h.name, Service: p.serviceOf(h.name), fallback: p.defaultRoute(h.name)}
	candidates := h.rules
	if len(candidates) == 0 {
		candidates, _ = p.wildRules.find(h.name)
	}
	v.tcp = p.tcpRoutes(candidates)
	last := v
	for _, i := range candidates {
		vs := p.set.VirtualServices[i]
		if len(vs.Spec.Http) == 0 { // it is about connections
			continue
		}
		if last.Rule != nil && !last.portsOnly() {
			v.Losers = append(v.Losers, &vs.Meta)
			continue
		}
		if routes := p.compileRoutes(vs); len(routes) > 0 {
			last = last.add(vs, routes)
		}
	}
	if v.Rule == nil {
		v.Routes = []*Route{v.fallback}
	}
	v.byPort = v.Next != nil || slices.ContainsFunc(v.Routes, (*Route).byPort)
	return v
}

// add puts a rule behind those that the host has.
func (v *VirtualHost) add(rule *rules.VirtualService, routes []*Route) *VirtualHost {
	if v.Rule != nil {
		v.Next = &VirtualHost{}
		v = v.Next
	}
	v.source, v.Rule, v.Routes = rule, &rule.Meta, routes
	return v
}

// portsOnly says that every match of every route is for a port.
func (v *VirtualHost) portsOnly() bool {
	for _, r := range v.Routes {
		if len(r.matches) == 0 || slices.ContainsFunc(r.matches, func(m match) bool { return m.port == 0 }) {
			return false
		}
	}
	return true
}

// defaultRoute sends everything to the service itself, without a timeout, with
// the built-in retry policy. A wildcard stands for the host that is asked for.
func (p *Plan) defaultRoute(name string) *Route {
	if s := p.serviceOf(name); strings.HasPrefix(name, "*") && (s == nil || s.perRequest()) {
		name = ""
	}
	r := &Route{Name: "default", Destinations: []Destination{{Host: name, Weight: 1, Live: new(atomic.Value)}}}
	p.bind(r, nil)
	return r
}

// Match finds the first route that matches. Nil means that the host has routes
// and none matches: Istio's 404, with no fall-through to another rule.
func (v *VirtualHost) Match(r *Request, port uint16) *Route {
	if v.byPort {
		return v.matchAt(r, v.PortOf(r, port))
	}
	for _, route := range v.Routes {
		if route.takes(r) {
			return route
		}
	}
	return nil
}

// matchAt is Match where rules speak of ports: Istio builds routes per port, and a
// rule without any route for the port does not exist for it.
func (v *VirtualHost) matchAt(r *Request, port uint16) *Route {
	for owner := v; owner != nil; owner = owner.Next {
		if route, reachable := owner.ownMatchAt(r, port); reachable {
			return route
		}
	}
	return v.fallback
}

// RuleAt is the rule that leaves a request without a route, as none of its own matches:
// the first that has any for the port.
func (v *VirtualHost) RuleAt(r *Request, written uint16) *rules.Meta {
	port := v.PortOf(r, written)
	for owner := v; owner != nil; owner = owner.Next {
		if _, reachable := owner.ownMatchAt(r, port); reachable {
			return owner.Rule
		}
	}
	return v.Rule
}

func (v *VirtualHost) ownMatchAt(r *Request, port uint16) (_ *Route, reachable bool) {
	for _, route := range v.Routes {
		takes, here := route.takesAt(r, port)
		if takes {
			return route, true
		}
		reachable = reachable || here
	}
	return nil, reachable
}

// byPort says that some match of the route is for a port.
func (r *Route) byPort() bool {
	return slices.ContainsFunc(r.matches, func(m match) bool { return m.port != 0 })
}

// PortOf is the service port that a request is addressed to: the one written,
// else the service's own for the protocol, else the scheme's.
func (v *VirtualHost) PortOf(r *Request, written uint16) uint16 {
	if written != 0 {
		return written
	}
	return cmp.Or(v.Service.defaultPort(r.Protocol()), schemePort(r.Scheme))
}
