package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/internal/flight"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/retry"
)

// Config is what an Engine is made of.
type Config struct {
	Options      plan.Options
	Discovery    discovery.Source // nil: what the rules describe, else DNS
	RegistryOnly bool             // refuse hosts that nobody knows
	Events       Events
	MirrorLimit  int // copies under way at once
	Hedge        retry.Hedge
}

// Events is told what happens. Its methods are called on the caller's goroutine,
// never under a lock, and must be quick.
type Events interface {
	Retrying(c *Call, wait time.Duration) // another follows
	Done(c *Call)                         // the call is over
	Circuit(cl *Cluster, h *Host, ev breaker.Event)
	HostGone(cl *Cluster, h *Host) // discovery knows it no more
	ClusterClosed(cl *Cluster)
	MirrorDropped(host string)
	Trouble(host string, err error) // with the endpoints of a host
}

// An Engine carries calls. It is safe for concurrent use.
type Engine struct {
	config Config
	events Events
	dns    discovery.Source
	state  atomic.Pointer[state]

	flights *flight.Board[Flight]
	mirrors chan struct{} // one token for each copy under way
	tasks   tasks         // goroutines of the engine's own

	mu        sync.Mutex // guards what is alive
	closed    bool
	clusters  map[plan.ClusterKey]*Cluster
	ousted    []*Cluster // whose place one of a newer plan has taken, to be retired
	upstreams map[upstreamKey]*upstream
	strangers strangers
	stop      context.CancelFunc
	life      context.Context // ends with Close
}

type upstreamKey struct {
	host        string
	port        uint16
	passthrough bool
	via         string
}

func keyOf(spec *plan.Cluster) upstreamKey {
	return upstreamKey{spec.Key.Host, spec.Key.Port, spec.Passthrough, spec.Key.Via}
}

// New makes an engine without rules.
func New(c Config) (*Engine, error) {
	dns, err := discovery.NewDNS(discovery.DNSConfig{})
	if err != nil {
		return nil, err
	}
	if c.Discovery != nil {
		c.Discovery = &configured{c.Discovery}
	}
	e := &Engine{
		config:    c,
		events:    c.Events,
		flights:   flight.New[Flight](),
		mirrors:   make(chan struct{}, c.MirrorLimit),
		dns:       discovery.Share(dns),
		clusters:  map[plan.ClusterKey]*Cluster{},
		upstreams: map[upstreamKey]*upstream{},
	}
	e.life, e.stop = context.WithCancel(context.Background())
	e.state.Store(&state{plan: plan.Compile(nil, c.Options)})
	return e, nil
}

// Plan is the one in force.
func (e *Engine) Plan() *plan.Plan { return e.state.Load().plan }

// Apply puts a plan in force. Calls under way end by the plan they began with;
// live clusters get their new policy, and keep everything else. One goroutine
// at a time may call it.
//
// Make before break: policies come first, then the routes that need them, then
// what no route leads to any more goes. A cluster that came to life by the old
// plan meanwhile gets its policy in the second round.
func (e *Engine) Apply(p *plan.Plan) {
	gone := e.reconfigure(p)
	e.state.Store(&state{plan: p})
	gone = append(gone, e.reconfigure(p)...)
	gone = append(gone, e.takeOusted()...)
	for _, cl := range gone {
		e.retire(cl)
	}
}

// reconfigure gives p's policy to every live cluster that has an older one, and
// returns those that p does not know. Policies come before endpoints: where an edit
// changes the labels of both, a subset that still wants the old ones would forget
// its hosts.
func (e *Engine) reconfigure(p *plan.Plan) (gone []*Cluster) {
	var changed []*Cluster
	for _, cl := range e.Clusters() {
		if cl.plan.Load() == p {
			continue
		}
		if p.Stands(cl.Spec()) { // as of most clusters at most edits
			cl.plan.Store(p)
			continue
		}
		spec := p.Cluster(cl.Key)
		if !cl.fits(spec) {
			gone = append(gone, cl)
			continue
		}
		cl.plan.Store(p)
		cl.configure(spec)
		changed = append(changed, cl)
	}
	for _, cl := range changed {
		cl.upstream.refeed(e.feedOf(cl.Spec()))
		cl.upstream.again(cl)
	}
	return gone
}

func (e *Engine) takeOusted() (gone []*Cluster) {
	e.mu.Lock()
	defer e.mu.Unlock()
	gone, e.ousted = e.ousted, nil
	return gone
}

// retire ends a cluster that the rules no longer know, and the watch of its
// endpoints if it was the last to need it.
func (e *Engine) retire(cl *Cluster) {
	u, gone := e.remove(cl)
	if !gone {
		return
	}
	cl.close()
	if u != nil {
		u.close()
	}
	e.events.ClusterClosed(cl)
}

// remove returns the upstream that nobody needs any more, nil if somebody does. It
// reports false of a cluster that was found gone before.
func (e *Engine) remove(cl *Cluster) (last *upstream, gone bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if cl.removed {
		return nil, false
	}
	cl.removed = true
	if e.clusters[cl.Key] == cl { // else one of the new plan is in its place
		delete(e.clusters, cl.Key)
	}
	if cl.upstream == nil || cl.upstream.leave(cl) > 0 {
		return nil, true
	}
	delete(e.upstreams, cl.upstream.key)
	return cl.upstream, true
}

// Clusters are the live ones.
func (e *Engine) Clusters() []*Cluster {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]*Cluster, 0, len(e.clusters))
	for _, cl := range e.clusters {
		out = append(out, cl)
	}
	return out
}

// Close ends, in this order: copies under way, the watches of endpoints, the
// timers. Calls under way finish on what they hold.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	upstreams, clusters := e.upstreams, e.clusters
	e.upstreams, e.clusters = map[upstreamKey]*upstream{}, map[plan.ClusterKey]*Cluster{}
	e.mu.Unlock()
	e.stop()
	for _, u := range upstreams {
		u.close()
	}
	for _, cl := range clusters {
		cl.close()
		e.events.ClusterClosed(cl)
	}
	e.tasks.wait()
}
