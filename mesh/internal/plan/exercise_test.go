package plan_test

import (
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// exercise asks everything of a plan that requests and the engine ask, for every
// host that the rules name. Nothing may panic, whatever rules are valid.
func exercise(t testing.TB, set *rules.Set) {
	t.Helper()
	workload := plan.Workload{Namespace: "prod", Labels: map[string]string{"app": "a", "version": "v1"}}
	for _, o := range []plan.Options{{}, {Workload: workload}, {RootNamespace: "prod", Domain: "x"}} {
		p := plan.Compile(set, o)
		for _, host := range hostsOf(set) {
			for _, authority := range []string{host, host + ":9080", "x." + host} {
				askHost(t, p, authority)
			}
		}
		askHost(t, p, "unknown.example.net")
	}
}

// hostsOf are the hosts as written, without the star of wildcards.
func hostsOf(set *rules.Set) (out []string) {
	add := func(h string) {
		for h != "" && (h[0] == '*' || h[0] == '.') {
			h = h[1:]
		}
		out = append(out, h)
	}
	for _, vs := range set.VirtualServices {
		for _, h := range vs.Spec.Hosts {
			add(h)
		}
	}
	for _, se := range set.ServiceEntries {
		for _, h := range se.Spec.Hosts {
			add(h)
		}
	}
	for _, dr := range set.DestinationRules {
		add(dr.Spec.Host)
	}
	return out
}

func askHost(t testing.TB, p *plan.Plan, authority string) {
	t.Helper()
	target := p.Lookup(authority)
	if target.VirtualHost == nil {
		target.VirtualHost = p.Default(target.Name)
	}
	p.LeftOut(target.VirtualHost)
	if len(target.Routes) == 0 {
		t.Errorf("%s has no routes, not even the default", authority)
	}
	for _, r := range []*plan.Request{
		{},
		{Method: "GET", Scheme: "http", Authority: authority, Path: "/a/b", RawQuery: "q=1", Origin: plan.Remote("10.0.0.9:1"), Header: map[string][]string{"X-User": {"a", "b"}, "Cookie": {"c=1; d"}}},
		{Method: "POST", Scheme: "https", Authority: authority, Path: "/", LowerKeys: true, Header: map[string][]string{"x-user": {""}}},
	} {
		target.Match(r, target.Port)
		for _, route := range target.Routes { // those that do not match too
			askRoute(t, p, target, route, r)
		}
	}
}

func askRoute(t testing.TB, p *plan.Plan, target plan.Target, route *plan.Route, r *plan.Request) {
	t.Helper()
	port := target.PortOf(r, target.Port)
	route.Explain(r, port)
	route.RetryText()
	route.Fault.Text()
	v := plan.Values{Request: r, Start: time.Unix(0, 0), Protocol: "HTTP/1.1"}
	switch {
	case route.Redirect != nil:
		route.Location(r, port)
		route.Redirect.Headers.ApplyToResponse(map[string][]string{}, v)
		return
	case route.Direct != nil:
		route.Direct.Headers.ApplyToResponse(map[string][]string{}, v)
		return
	}
	route.Path(r, port)
	if route.Sticky != nil {
		route.Sticky.Value(r)
	}
	for _, random := range []uint32{0, 1 << 31, 1<<32 - 1} {
		askDestination(t, p, target, route.Choose(random), v)
	}
	for i := range route.Destinations {
		askDestination(t, p, target, &route.Destinations[i], v)
		route.Share(i)
	}
	for _, m := range route.Mirrors {
		askDestination(t, p, target, m.Route.Choose(1<<31), v)
	}
}

func askDestination(t testing.TB, p *plan.Plan, target plan.Target, d *plan.Destination, v plan.Values) {
	t.Helper()
	d.Authority(v)
	d.Request.ApplyToRequest(map[string][]string{}, v)
	d.Response.ApplyToResponse(map[string][]string{}, v)
	c := p.Cluster(p.Key(d, target))
	if err := c.Balancer.Validate(); err != nil {
		t.Errorf("cluster %v: a valid rule made a balancer that is not: %v", c.Key, err)
	}
	if c.Budget != nil {
		if err := c.Budget.Validate(); err != nil {
			t.Errorf("cluster %v: a valid rule made a retry budget that is not: %v", c.Key, err)
		}
	}
	if c.Hash != nil {
		c.Hash.Value(v.Request)
	}
	if c.Service != nil {
		c.Service.Endpoints(c.Key.Host, c.Key.Port)
	}
	c.Original()
	_ = c.Hash.String() + c.Key.String()
}
