package admin

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

const (
	askTimeout   = 3 * time.Second // unless a Fleet says otherwise
	asksAtOnce   = 16
	maxInstances = 1000
	maxServices  = 1000
	gatherFresh  = time.Second // for how long an answer is everybody's
)

// A gatherer asks all instances for their graphs, for one caller at a time: those
// who wait share what it finds.
type gatherer struct {
	admin *admin
	turn  chan struct{} // held by who uses last
	last  map[time.Duration]Topology
}

func newGatherer(a *admin) *gatherer {
	return &gatherer{a, make(chan struct{}, 1), map[time.Duration]Topology{}}
}

// gather is one graph of all instances that answer. The error is ctx's.
func (g *gatherer) gather(ctx context.Context, window time.Duration) (Topology, error) {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return Topology{}, ctx.Err()
	}
	defer func() { <-g.turn }()
	if t, ok := g.last[window]; ok && time.Since(t.At) < gatherFresh {
		return t, nil
	}
	t := g.ask(ctx, window)
	if ctx.Err() == nil { // else it is short of those who were not waited for
		clear(g.last)
		g.last[window] = t
	}
	return t, ctx.Err()
}

// A round is one question to all.
type round struct {
	*gatherer
	window   time.Duration
	services map[string]bool           // that discovery was asked for
	answers  map[string]InstanceAnswer // by where they were asked
	graphs   map[string]topology.Graph // by the instance
	left     atomic.Int64              // bytes that they may have
}

// ask goes from those that the own graph shows to those that theirs show, and so on.
func (g *gatherer) ask(ctx context.Context, window time.Duration) Topology {
	ctx, cancel := context.WithTimeout(ctx, 3*g.admin.config.Fleet.timeout())
	defer cancel()
	own := g.admin.mesh.Graph(window)
	r := &round{
		gatherer: g, window: window, services: map[string]bool{}, answers: map[string]InstanceAnswer{},
		graphs: map[string]topology.Graph{g.admin.id: own},
	}
	r.left.Store(maxTopologies)
	next := append(r.servicesOf(own), r.known()...)
	for len(next) > 0 && ctx.Err() == nil {
		next = r.visit(ctx, r.find(ctx, next))
	}
	return r.result()
}

// known are the services that need no traffic to be known: the own one, those that
// requests went to, and those that Config names.
func (r *round) known() (out []service) {
	a := r.admin
	w := a.mesh.Workload()
	out = append(out, service{w.Service, w.Namespace})
	for _, name := range a.config.Fleet.Services {
		name, namespace, _ := strings.Cut(name, ".")
		out = append(out, service{name, cmp.Or(namespace, w.Namespace)})
	}
	return out
}

// A service is what discovery is asked for.
type service struct{ name, namespace string }

func (s service) String() string { return s.name + "." + s.namespace }

// servicesOf are those of a graph that are of the mesh: others have no namespace.
func (r *round) servicesOf(g topology.Graph) (out []service) {
	for _, v := range g.Nodes {
		if v.Namespace != "" {
			out = append(out, service{v.Name, v.Namespace})
		}
	}
	return out
}

// A place is an instance to be asked.
type place struct {
	service  service
	endpoint string
	url      string
}

// find is where the instances of services are that were not asked yet.
func (r *round) find(ctx context.Context, all []service) (places []place) {
	all = r.unknown(all)
	found := make([][]discovery.Endpoint, len(all))
	atOnce(len(all), func(i int) { found[i] = r.endpoints(ctx, all[i]) })
	for i, s := range all {
		for _, e := range found[i] {
			url, ok := r.admin.config.Fleet.pages(e, r.window)
			if _, asked := r.answers[url]; !ok || asked || len(r.answers) >= maxInstances {
				continue
			}
			r.answers[url] = InstanceAnswer{Service: s.String(), Endpoint: e.Address, Error: "it was not asked in time"}
			places = append(places, place{s, e.Address, url})
		}
	}
	return places
}

// unknown are those of which discovery was not asked yet, once each.
func (r *round) unknown(all []service) (out []service) {
	for _, s := range all {
		if s.name != "" && !r.services[s.String()] && len(r.services) < maxServices {
			r.services[s.String()] = true
			out = append(out, s)
		}
	}
	return out
}

// atOnce does n things, some at a time.
func atOnce(n int, do func(i int)) {
	slots := make(chan struct{}, asksAtOnce)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	all.Wait()
}

// endpoints are none where discovery does not know.
func (r *round) endpoints(ctx context.Context, s service) []discovery.Endpoint {
	ctx, cancel := context.WithTimeout(ctx, r.admin.config.Fleet.timeout())
	defer cancel()
	all, _ := r.admin.mesh.Endpoints(ctx, s.name, s.namespace)
	return all
}

// visit asks some instances at a time, and returns the services that they show.
func (r *round) visit(ctx context.Context, places []place) (next []service) {
	got := make([]Topology, len(places))
	errs := make([]error, len(places))
	atOnce(len(places), func(i int) { got[i], errs[i] = r.admin.fetch(ctx, places[i].url, &r.left) })
	for i, p := range places {
		a := InstanceAnswer{Service: p.service.String(), Endpoint: p.endpoint}
		if errs[i] != nil {
			a.Error = errs[i].Error()
		} else {
			a.Instance = &got[i].Instance
			next = append(next, r.take(got[i])...)
		}
		r.answers[p.url] = a
	}
	return next
}

// take keeps a graph, once for each instance, whatever endpoints it has.
func (r *round) take(t Topology) []service {
	if _, have := r.graphs[t.Instance.ID]; have {
		return nil
	}
	r.graphs[t.Instance.ID] = t.Graph
	return slices.DeleteFunc(r.servicesOf(t.Graph), service.isPlace)
}

// isPlace says that the name is an address or a whole host name. By these an
// instance could have any place asked; others are of the mesh or lead nowhere.
func (s service) isPlace() bool { return strings.ContainsAny(s.name+s.namespace, ".:/%[]") }

func (r *round) result() Topology {
	t := Topology{Instance: r.admin.instance(), Instances: []InstanceAnswer{}}
	var graphs []topology.Graph
	for _, g := range r.graphs {
		graphs = append(graphs, g)
	}
	t.Graph = topology.Merge(graphs...)
	t.At = time.Now() // clocks of others may be wrong
	for _, a := range r.answers {
		t.Instances = append(t.Instances, a)
	}
	slices.SortFunc(t.Instances, func(a, b InstanceAnswer) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.Endpoint, b.Endpoint))
	})
	return t
}
