package plan

import (
	"strconv"
	"sync/atomic"
	"time"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/retry"
)

// A Route is one HTTPRoute: what it matches and what becomes of the request. It
// has exactly one action: Redirect, else Direct, else Destinations.
type Route struct {
	Name  string
	Rule  *rules.Meta // nil: the default route
	Field string      // where in the rule: spec.http[2]
	Index int         // of the entry there: 2
	Line  int

	Redirect     *Redirect
	Direct       *Direct
	Destinations []Destination

	Timeout time.Duration // of the whole call, retries included; 0 none
	Retry   retry.Policy
	Fault   Fault
	Mirrors []Mirror
	// Sticky, if set, is what keeps a user in one arm of a weighted split: the
	// hash key of the first destination that has one.
	Sticky *HashKey

	matches     []match    // none: matches everything
	when        matcher    // what the matches come to on any port; nil: everything
	connections []tcpMatch // of a TCP route; none: matches everything
	excluded    []string   // why further matches leave this workload out
	rewrite     rewrite
	total       uint32 // of the weights
	sole        *Destination
	special     bool
	named       bool // some match has a name of its own
}

// A Destination is one arm of a route.
type Destination struct {
	Host   string // canonical; "" is the host that the request is addressed to
	Subset string
	Port   uint16 // 0: the request's own
	Weight uint32

	Request   HeaderOps
	Response  HeaderOps
	authority template // replaces Host; empty keeps it

	// Live is room for whoever carries the calls to keep what serves the
	// destination. The plan never looks into it.
	Live *atomic.Value
}

// Special reports whether the route does more than to send requests: it has faults
// to inject, or an answer of its own.
func (r *Route) Special() bool { return r.special }

// A Verdict is what a route says of a request.
type Verdict struct {
	Matched bool
	// Failed holds, for a route that does not match, the first condition of each
	// of its matches that does not hold.
	Failed []string
}

// takes reports whether one of the matches lets the request in, on whatever port. It
// says nothing of why the others do not, which costs.
func (r *Route) takes(req *Request) bool { return r.when == nil || r.when.holds(req) }

// takesAt is takes on one port. A route is not reachable if all its matches are for
// other ones.
func (r *Route) takesAt(req *Request, port uint16) (takes, reachable bool) {
	for i := range r.matches {
		m := &r.matches[i]
		if !m.isFor(port) {
			continue
		}
		if reachable = true; m.holds(req) {
			return true, true
		}
	}
	none := len(r.matches) == 0
	return none, none || reachable
}

// matched is the match that lets the request in; nil for a route without any.
func (r *Route) matched(req *Request, port uint16) *match {
	for i := range r.matches {
		m := &r.matches[i]
		if m.isFor(port) && m.holds(req) {
			return m
		}
	}
	return nil
}

// Explain is takesAt with reasons.
func (r *Route) Explain(req *Request, port uint16) (v Verdict) {
	if v.Matched, _ = r.takesAt(req, port); v.Matched {
		return v
	}
	for i := range r.matches {
		m := &r.matches[i]
		if !m.isFor(port) {
			v.Failed = append(v.Failed, "port "+strconv.Itoa(int(m.port)))
		} else {
			v.Failed = append(v.Failed, m.failing(req).String())
		}
	}
	v.Failed = append(v.Failed, r.excluded...)
	return v
}

// compileRoutes compiles those routes of a VirtualService that this workload can
// take, delegates in place, up to the first that catches everything.
func (p *Plan) compileRoutes(vs *rules.VirtualService) []*Route {
	var out []*Route
	for i, spec := range vs.Spec.Http {
		for _, e := range p.expand(vs, spec) {
			route := p.compileRoute(e, vs, i)
			if route == nil {
				continue
			}
			out = append(out, route)
			if route.catchAll() {
				return out
			}
		}
	}
	return out
}

// compileRoute returns nil for a route that no request of this workload takes.
func (p *Plan) compileRoute(e expanded, vs *rules.VirtualService, i int) *Route {
	field := fieldOf(i)
	r := &Route{Name: e.spec.Name, Rule: &vs.Meta, Field: field, Index: i, Line: vs.LineOf(field)}
	for _, m := range e.spec.Match {
		if why := p.excluded(m); why != "" {
			r.excluded = append(r.excluded, why)
		} else {
			r.matches = append(r.matches, compileMatch(m))
		}
	}
	if len(e.spec.Match) > 0 && len(r.matches) == 0 {
		return nil
	}
	r.when = anyOf(r.matches)
	if r.Name == "" {
		r.Name = field
	}
	r.nameMatches()
	p.compileAction(r, e.spec, e.namespace)
	p.bind(r, e.spec.GetRetries())
	return r
}

// nameMatches: "the match's name will be concatenated with the parent route's name
// and will be logged in the access logs" (Istio, HTTPMatchRequest.name).
func (r *Route) nameMatches() {
	for i := range r.matches {
		if m := &r.matches[i]; m.name != "" {
			m.name, r.named = r.Name+"."+m.name, true
		}
	}
}

// NameFor is the route's name, with that of the match by which it takes the request.
func (r *Route) NameFor(req *Request, port uint16) string {
	if !r.named {
		return r.Name
	}
	if m := r.matched(req, port); m != nil && m.name != "" {
		return m.name
	}
	return r.Name
}

// catchAll says that nothing behind the route can be reached.
func (r *Route) catchAll() bool {
	if len(r.matches) == 0 {
		return true
	}
	for i := range r.matches {
		if r.matches[i].catchAll() {
			return true
		}
	}
	return false
}

func (p *Plan) compileAction(r *Route, spec *networking.HTTPRoute, namespace string) {
	r.Timeout = spec.GetTimeout().AsDuration()
	r.Fault = compileFault(spec.GetFault())
	r.special = r.Fault.DelayFraction > 0 || r.Fault.AbortFraction > 0 || spec.Redirect != nil || spec.DirectResponse != nil
	switch {
	case spec.Redirect != nil:
		r.Redirect = compileRedirect(spec)
	case spec.DirectResponse != nil:
		r.Direct = compileDirect(spec)
	default:
		r.rewrite = compileRewrite(spec.GetRewrite())
		r.Destinations = p.compileDestinations(spec, namespace)
		r.Mirrors = p.compileMirrors(r, spec, namespace)
	}
}

// bind settles what the DestinationRules have to do with a route: whether its
// split is sticky, and whether a retry avoids the hosts that failed.
func (p *Plan) bind(r *Route, retries *networking.HTTPRetry) {
	for i := range r.Destinations {
		d := &r.Destinations[i]
		r.total += d.Weight
		if r.Sticky == nil {
			r.Sticky = p.hashKey(d)
		}
	}
	if len(r.Destinations) == 1 && r.Sticky == nil {
		r.sole = &r.Destinations[0]
	}
	r.Retry = compileRetry(retries, len(r.Destinations) == 1 && r.Sticky != nil)
}

// Sole is the destination of a route that needs nothing of a request to choose it; nil
// if it is to be chosen.
func (r *Route) Sole() *Destination { return r.sole }

// Choose picks an arm by a number that is uniform over all uint32 values.
func (r *Route) Choose(random uint32) *Destination {
	if len(r.Destinations) == 1 {
		return &r.Destinations[0]
	}
	point := uint32(uint64(random) * uint64(r.total) >> 32)
	for i := range r.Destinations {
		d := &r.Destinations[i]
		if point < d.Weight {
			return d
		}
		point -= d.Weight
	}
	return &r.Destinations[len(r.Destinations)-1]
}

// SubsetOf says that have has all labels of want; no labels want nothing.
func SubsetOf(want, have map[string]string) bool {
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}
