package mesh

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// An Explanation says what the mesh would do with a request, and why.
type Explanation struct {
	Service string `json:"service"` // canonical host
	Port    uint16 `json:"port,omitempty"`
	// Ours is false for a host that no rule and no source knows: the request
	// would pass unchanged, or be refused if Refused says so.
	Ours    bool   `json:"ours"`
	Refused string `json:"refused,omitempty"` // why there would be no request upstream

	Rule   *RuleRef  `json:"rule,omitempty"`   // the VirtualService that the request goes by; nil: the default route
	Losers []RuleRef `json:"losers,omitempty"` // rules that name the host too, without effect on it
	// Routes are those of the rules for the host, in order, up to the one that matches and beyond.
	Routes []RouteExplanation `json:"routes,omitempty"`
	// Action is what becomes of the request: "forward", "redirect to …",
	// "answer 200", or "" if no route matches.
	Action       string                   `json:"action,omitempty"`
	Timeout      string                   `json:"timeout,omitempty"` // of the whole call: "3s"; "" none
	Retries      string                   `json:"retries,omitempty"`
	Faults       []string                 `json:"faults,omitempty"`
	Destinations []DestinationExplanation `json:"destinations,omitempty"`
	Mirrors      []DestinationExplanation `json:"mirrors,omitempty"`
	// Notes say where inmesh does other than Istio for this request.
	Notes []string `json:"notes,omitempty"`
}

// A RuleRef names a rule and where it stands.
type RuleRef struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
}

// A RouteExplanation is one route and what it says of the request.
type RouteExplanation struct {
	Name    string `json:"name"`
	Field   string `json:"field,omitempty"` // spec.http[2]
	Line    int    `json:"line,omitempty"`
	Matched bool   `json:"matched"`
	// Failed holds, for a route that does not match, the first condition that
	// does not hold, of each of its matches.
	Failed []string `json:"failed,omitempty"`
}

// A DestinationExplanation is one arm of a split, or a mirror.
type DestinationExplanation struct {
	Host    string            `json:"host"`
	Port    uint16            `json:"port,omitempty"`
	Subset  string            `json:"subset,omitempty"`
	Share   float64           `json:"share"`             // of the route's requests, 0 to 1
	Missing string            `json:"missing,omitempty"` // why there is no such cluster
	Policy  *RuleRef          `json:"policy,omitempty"`  // the DestinationRule in force; nil: the defaults
	Labels  map[string]string `json:"labels,omitempty"`  // that the subset's endpoints have
	Balance string            `json:"balance,omitempty"`
	Hash    string            `json:"hash,omitempty"` // what consistent hashing looks at
	Trouble string            `json:"trouble,omitempty"`
	Hosts   []EndpointStatus  `json:"endpoints,omitempty"`
	// Access is what the policies on the other side would decide.
	Access []AccessExplanation `json:"access,omitempty"`
}

// Explain says, without sending, what would become of r: which rule matches and
// why the others do not, the candidate destinations with their endpoints. It may
// wait for the first word of discovery about them, as the request would, within
// r's context.
//
// Of a URL tcp://host:port it says what DialContext would do.
func (m *Mesh) Explain(r *http.Request) Explanation {
	if isRaw(r) {
		return m.explainTCP(r)
	}
	x := newExchange(&Transport{mesh: m}, r)
	defer x.free()
	c := &x.call
	ours, err := m.engine.Route(r.Context(), c)
	e := Explanation{Service: c.Target.Name, Port: c.Target.Port, Ours: ours}
	if err != nil {
		e.Refused = newError(c, err).Error()
	}
	if c.Target.VirtualHost == nil {
		return e
	}
	e.Rule = refOf(c.Rule())
	for _, loser := range c.Target.Losers {
		e.Losers = append(e.Losers, *refOf(loser))
	}
	port := c.Target.PortOf(&c.Request, c.Target.Port)
	for v := c.Target.VirtualHost; v != nil; v = v.Next {
		e.Routes = append(e.Routes, m.explainRoutes(v, c, port)...)
	}
	if c.Route != nil {
		if c.Route.Rule == nil && c.Target.Rule != nil { // which has no route for this port
			e.Routes = append(e.Routes, RouteExplanation{Name: c.Route.Name, Matched: true})
		}
		m.explainRoute(&e, x, port)
	}
	return e
}

// explainRoutes tells all routes of one rule in the order in which they are
// written, those too that this workload can never take.
func (m *Mesh) explainRoutes(v *plan.VirtualHost, c *engine.Call, port uint16) (out []RouteExplanation) {
	left := m.engine.Plan().LeftOut(v)
	tell := func(before int) {
		for ; len(left) > 0 && left[0].Index < before; left = left[1:] {
			l := &left[0]
			out = append(out, RouteExplanation{l.Name, l.Field, l.Line, false, l.Reasons})
		}
	}
	for _, route := range v.Routes {
		tell(route.Index)
		verdict := route.Explain(&c.Request, port)
		out = append(out, RouteExplanation{route.Name, route.Field, route.Line, verdict.Matched && route == c.Route, verdict.Failed})
	}
	tell(math.MaxInt)
	return out
}

func (m *Mesh) explainRoute(e *Explanation, x *exchange, port uint16) {
	c, route := &x.call, x.call.Route
	e.Timeout, e.Retries, e.Faults = route.TimeoutText(), route.RetryText(), route.Fault.Text()
	switch {
	case route.Redirect != nil:
		e.Action = fmt.Sprintf("redirect %d to %s", route.Redirect.Status, route.Location(&c.Request, port))
		return
	case route.Direct != nil:
		e.Action = fmt.Sprintf("answer %d", route.Direct.Status)
		return
	}
	e.Action = "forward"
	for i := range route.Destinations {
		e.Destinations = append(e.Destinations, m.explainDestination(e, x, &route.Destinations[i], route.Share(i)))
	}
	for i := range route.Mirrors {
		mirror := &route.Mirrors[i]
		e.Mirrors = append(e.Mirrors, m.explainDestination(e, x, &mirror.Route.Destinations[0], mirror.Fraction.Share()))
	}
	if route.Retry.SafeReplay && !c.Idempotent {
		e.note("a %s is repeated only when nothing of it can have been executed: no retries are written", c.Request.Method)
	}
}

func (m *Mesh) explainDestination(e *Explanation, x *exchange, d *plan.Destination, share float64) DestinationExplanation {
	cl := m.engine.Cluster(&x.call, d)
	spec := cl.Spec()
	out := DestinationExplanation{
		Host: cl.Key.Host, Port: cl.Key.Port, Subset: cl.Key.Subset, Share: share, Missing: spec.Missing,
		Policy: refOf(spec.Rule), Labels: spec.Labels, Balance: balanceOf(spec), Hash: spec.Hash.String(),
	}
	if spec.Missing == "" {
		if err := m.engine.Await(x.in.Context(), cl); err != nil {
			out.Trouble = err.Error()
		}
		out.Hosts = m.endpointsOf(cl, time.Now())
		out.Access = m.explainAccess(x, cl, d)
	}
	if spec.Implied {
		e.note("no DestinationRule of %s defines subsets: %q means the label version=%s", cl.Key.Host, cl.Key.Subset, cl.Key.Subset)
	}
	if spec.Outlier.Enabled && spec.Outlier.AlwaysEjectOne {
		e.note("%s: one endpoint may always be ejected: maxEjectionPercent is not written", cl.Key.Host)
	}
	return out
}

// note adds a note once.
func (e *Explanation) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, have := range e.Notes {
		if have == text {
			return
		}
	}
	e.Notes = append(e.Notes, text)
}

func refOf(meta *rules.Meta) *RuleRef {
	if meta == nil {
		return nil
	}
	return &RuleRef{meta.Kind, meta.Namespace, meta.Name, meta.File, meta.Line}
}
