package mesh

import (
	"net/http"
	"slices"
)

// isRaw: the request stands for a raw connection.
func isRaw(r *http.Request) bool { return r.URL.Scheme == "tcp" }

// explainTCP is Explain of a connection.
func (m *Mesh) explainTCP(r *http.Request) Explanation {
	x := newExchange(&Transport{mesh: m}, r)
	defer x.free()
	c := &x.call
	to, ok := m.parse(r.Context(), "tcp", r.URL.Host)
	if !ok {
		return Explanation{Service: r.URL.Host, Refused: "it is no host:port"}
	}
	c.Request.Authority = to.authority()
	ours, err := m.engine.RouteTCP(r.Context(), c, to.ip)
	e := Explanation{Service: c.Target.Name, Port: c.Target.Port, Ours: ours}
	if err != nil {
		e.Refused = newError(c, err).Error()
	}
	if c.Route == nil {
		return e
	}
	e.Rule, e.Action = refOf(c.Route.Rule), "connect"
	for _, v := range c.Target.ExplainTCP(to.ip.Addr(), c.Target.Port) {
		e.Routes = append(e.Routes, RouteExplanation{v.Name, v.Field, v.Line, v.Matched && v.Route == c.Route, v.Failed})
		if e.Rule == nil { // which has no route for this connection
			e.Rule = refOf(v.Rule)
		}
	}
	for i := range c.Route.Destinations {
		e.Destinations = append(e.Destinations, m.explainDestination(&e, x, &c.Route.Destinations[i], c.Route.Share(i)))
	}
	if len(e.Routes) > 0 && !slices.ContainsFunc(e.Routes, func(r RouteExplanation) bool { return r.Matched }) {
		e.note("no TCP route matches: the connection goes to the host itself")
	}
	return e
}
