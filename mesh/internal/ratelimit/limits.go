package ratelimit

import (
	"time"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A Workload is what policies are about.
type Workload struct {
	// Service and Namespace say which policies count: those of the namespace
	// that target the service (kind Server) or a route (kind HTTPRoute).
	Service, Namespace string
	// TrustDomains are the workload's own and its aliases. The clients of an
	// override are service accounts of these; no others are taken for them.
	TrustDomains []string
}

// Limits are the policies of one workload. The zero Limits allow everything.
type Limits struct {
	server *policy            // nil: none
	routes map[string]*policy // by the route's name
}

// Compile makes the limits of a workload. The policies must be validated, and in
// the order of a rules.Set, oldest first. Buckets of policies that read as they
// do in previous are taken over; nil: there is no previous.
func Compile(policies []*rules.RateLimitPolicy, w Workload, previous *Limits) *Limits {
	l := &Limits{routes: map[string]*policy{}}
	before := previous.policies()
	for _, rule := range policies {
		if rule.Namespace == w.Namespace {
			l.add(rule, w, before[rule.Name])
		}
	}
	return l
}

// add leaves out what targets something else, or what an older policy targets.
func (l *Limits) add(rule *rules.RateLimitPolicy, w Workload, previous *policy) {
	target := rule.Spec.TargetRef
	switch {
	case target.Kind == "Server" && target.Name == w.Service && l.server == nil:
		l.server = compile(rule, w.TrustDomains, previous)
	case target.Kind == "HTTPRoute" && l.routes[target.Name] == nil:
		l.routes[target.Name] = compile(rule, w.TrustDomains, previous)
	}
}

// policies are those in force by their names.
func (l *Limits) policies() map[string]*policy {
	all := map[string]*policy{}
	if l == nil {
		return all
	}
	for _, p := range l.routes {
		all[p.rule.Name] = p
	}
	if l.server != nil {
		all[l.server.rule.Name] = l.server
	}
	return all
}

// None reports that everything is allowed.
func (l *Limits) None() bool { return l.server == nil && len(l.routes) == 0 }

// ByRoute reports that Allow needs to know the route.
func (l *Limits) ByRoute() bool { return len(l.routes) > 0 }

// Allow reports whether a request may go, and takes its tokens if so. Route is
// the name of the request's route; "": none. Caller is the SPIFFE ID of who
// sends it; "": it has none.
func (l *Limits) Allow(now time.Time, route, caller string) (Refusal, bool) {
	routed := l.routes[route]
	if l.server == nil && routed == nil {
		return Refusal{}, true
	}
	var c claims
	defer c.release()
	c.lock(l.server, routed, now, caller)
	if refusal := c.look(now); refusal.Policy != nil {
		return refusal, false
	}
	c.take()
	return Refusal{}, true
}
