package engine

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/retry"
)

// state is what a call reads: a plan, and which live cluster serves which of its
// destinations.
type state struct {
	plan    *plan.Plan
	unknown sync.Map // host → *plan.VirtualHost, of services that only discovery knows

	bound atomic.Pointer[[]*binding] // by plan.Destination.ID; replaced, under mu, to grow
	mu    sync.Mutex
}

// binding returns that of a destination.
func (s *state) binding(d *plan.Destination) *binding {
	if all := s.bound.Load(); all != nil && int(d.ID) < len(*all) {
		return (*all)[d.ID]
	}
	return s.grow(d)
}

// grow makes room for d, and as much again: destinations are compiled as their
// hosts are first asked for.
func (s *state) grow(d *plan.Destination) *binding {
	s.mu.Lock()
	defer s.mu.Unlock()
	var have []*binding
	if p := s.bound.Load(); p != nil {
		have = *p
	}
	if int(d.ID) < len(have) { // somebody was quicker
		return have[d.ID]
	}
	all := make([]*binding, 2*(d.ID+1))
	for i := copy(all, have); i < len(all); i++ {
		all[i] = new(binding)
	}
	s.bound.Store(&all)
	return all[d.ID]
}

// A binding is the clusters of one destination, by the port that requests write.
type binding struct {
	byPort atomic.Pointer[[]portCluster]
}

type portCluster struct {
	name    string
	port    uint16
	cluster *Cluster
}

// cluster finds the live cluster of a destination; the first call to it brings
// it to life.
func (e *Engine) cluster(s *state, d *plan.Destination, t plan.Target) *Cluster {
	return s.binding(d).find(e, s, d, t)
}

// Cluster finds the live cluster of a destination for a call that Route has seen.
func (e *Engine) Cluster(c *Call, d *plan.Destination) *Cluster {
	return e.cluster(c.state, d, c.Target)
}

// Await waits for the first word about a cluster's endpoints, and returns what
// ails their source.
func (e *Engine) Await(ctx context.Context, cl *Cluster) error {
	if cl.upstream == nil { // no such cluster
		return nil
	}
	if o := cl.upstream.await(ctx, firstAnswer); o.Failure != retry.None {
		return o.Err
	}
	return cl.upstream.trouble()
}

// maxBound is how many clusters a binding remembers; a wildcard's destination
// serves any number of hosts.
const maxBound = 16

func (b *binding) find(e *Engine, s *state, d *plan.Destination, t plan.Target) *Cluster {
	var known []portCluster
	if p := b.byPort.Load(); p != nil {
		known = *p
	}
	for i := range known {
		if known[i].port == t.Port && (d.Host != "" || known[i].name == t.Name) {
			return known[i].cluster
		}
	}
	cl := e.live(s.plan.Key(d, t))
	if len(known) < maxBound {
		next := append(known[:len(known):len(known)], portCluster{t.Name, t.Port, cl})
		b.byPort.Store(&next)
	}
	return cl
}

// live finds or makes a live cluster, by the plan in force now: the caller's may
// be older, and a cluster that is about to be retired as well.
func (e *Engine) live(key plan.ClusterKey) *Cluster {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, have := e.Plan(), e.clusters[key]
	if have != nil && have.plan.Load() == p {
		return have
	}
	spec := p.Cluster(key)
	if have != nil && have.fits(spec) {
		return have
	}
	cl := newCluster(e, p, spec)
	if spec.Missing != "" || e.closed {
		return cl // to be refused by; not kept
	}
	cl.upstream = e.upstreamLocked(spec)
	cl.upstream.join(cl)
	e.clusters[key] = cl
	return cl
}

func (e *Engine) upstreamLocked(spec *plan.Cluster) *upstream {
	key := keyOf(spec)
	u := e.upstreams[key]
	if u == nil {
		u = newUpstream(e, key, e.feedOf(spec))
		e.upstreams[key] = u
	}
	return u
}
