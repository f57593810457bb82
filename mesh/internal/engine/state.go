package engine

import (
	"context"
	"sync"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/retry"
)

// state is what a call reads: a plan, and the hosts that only discovery knows.
type state struct {
	plan    *plan.Plan
	unknown sync.Map // host → *plan.VirtualHost
}

// A binding is the clusters that serve one destination under one state, by what of
// their target requests choose them by. The destination holds it, for a copy may
// outlive the plan that it was decided by; it is immutable.
type binding struct {
	of    *state
	known []bound
}

type bound struct {
	name     string // "": the rule names the host
	port     uint16 // that requests write
	protocol plan.Protocol
	via      string
	cluster  *Cluster
}

// serves reports whether requests for t are the cluster's. Most write no name of a
// connection, which takes no comparison to see.
func (b *bound) serves(t *plan.Target) bool {
	return b.port == t.Port && b.protocol == t.Protocol && len(b.via) == len(t.Via) &&
		(b.via == "" || b.via == t.Via) && (b.name == "" || b.name == t.Name)
}

// maxBound is how many clusters a binding remembers; a wildcard's destination
// serves any number of hosts.
const maxBound = 16

// cluster finds the live cluster of a destination; the first call to it brings
// it to life.
func (e *Engine) cluster(s *state, d *plan.Destination, t *plan.Target) *Cluster {
	if b, _ := d.Live.Load().(*binding); b != nil && b.of == s {
		for i := range b.known {
			if k := &b.known[i]; k.serves(t) {
				return k.cluster
			}
		}
		return e.bind(b, d, t)
	}
	return e.bind(&binding{of: s}, d, t)
}

// bind adds a cluster to those that b knows.
func (e *Engine) bind(b *binding, d *plan.Destination, t *plan.Target) *Cluster {
	k := bound{port: t.Port, protocol: t.Protocol, via: t.Via, cluster: e.live(b.of.plan.Key(d, *t))}
	if d.Host == "" {
		k.name = t.Name
	}
	if n := len(b.known); n < maxBound {
		d.Live.Store(&binding{b.of, append(b.known[:n:n], k)})
	}
	return k.cluster
}

// Cluster finds the live cluster of a destination for a call that Route has seen.
func (e *Engine) Cluster(c *Call, d *plan.Destination) *Cluster {
	return e.cluster(c.state, d, &c.Target)
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
	if have != nil {
		e.ousted = append(e.ousted, have)
	}
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
