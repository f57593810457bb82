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

	// bound is *plan.Destination → *binding. The key is the destination itself,
	// not a number of it: a copy may outlive the plan that it was decided by.
	bound sync.Map
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
	b, ok := s.bound.Load(d)
	if !ok {
		b, _ = s.bound.LoadOrStore(d, new(binding))
	}
	return b.(*binding).find(e, s, d, t)
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
