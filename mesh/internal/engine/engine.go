package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/discovery"
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

	mirrors chan struct{} // one token for each copy under way
	tasks   tasks         // goroutines of the engine's own

	mu        sync.Mutex // guards what is alive
	closed    bool
	clusters  map[plan.ClusterKey]*Cluster
	upstreams map[upstreamKey]*upstream
	stop      context.CancelFunc
	life      context.Context // ends with Close
}

type upstreamKey struct {
	host        string
	port        uint16
	passthrough bool
}

func keyOf(spec *plan.Cluster) upstreamKey {
	return upstreamKey{spec.Key.Host, spec.Key.Port, spec.Passthrough}
}

// New makes an engine without rules.
func New(c Config) (*Engine, error) {
	dns, err := discovery.NewDNS(discovery.DNSConfig{})
	if err != nil {
		return nil, err
	}
	e := &Engine{
		config:    c,
		events:    c.Events,
		mirrors:   make(chan struct{}, c.MirrorLimit),
		dns:       discovery.Share(dns),
		clusters:  map[plan.ClusterKey]*Cluster{},
		upstreams: map[upstreamKey]*upstream{},
	}
	e.life, e.stop = context.WithCancel(context.Background())
	e.state.Store(&state{plan: plan.Compile(nil, c.Options)})
	return e, nil
}

// state is what a call reads: a plan, and which live cluster serves which of its
// destinations.
type state struct {
	plan    *plan.Plan
	bound   sync.Map // *plan.Destination → *binding
	unknown sync.Map // host → *plan.VirtualHost, of services that only discovery knows
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
	for _, cl := range gone {
		e.retire(cl)
	}
}

// reconfigure gives p's policy to every live cluster that has an older one, and
// returns those that p does not know.
func (e *Engine) reconfigure(p *plan.Plan) (gone []*Cluster) {
	for _, cl := range e.Clusters() {
		if cl.plan.Swap(p) == p {
			continue
		}
		spec := p.Cluster(cl.Key)
		if spec.Missing != "" || keyOf(spec) != cl.upstream.key {
			gone = append(gone, cl)
			continue
		}
		cl.configure(spec)
		cl.upstream.refeed(e.feedOf(spec))
		cl.upstream.again(cl)
	}
	return gone
}

// retire ends a cluster that the rules no longer know, and the watch of its
// endpoints if it was the last to need it.
func (e *Engine) retire(cl *Cluster) {
	u := e.remove(cl)
	cl.close()
	if u != nil {
		u.close()
	}
	e.events.ClusterClosed(cl)
}

func (e *Engine) remove(cl *Cluster) *upstream {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.clusters, cl.Key)
	if cl.upstream == nil || cl.upstream.leave(cl) > 0 {
		return nil
	}
	delete(e.upstreams, cl.upstream.key)
	return cl.upstream
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
// be older.
func (e *Engine) live(key plan.ClusterKey) *Cluster {
	e.mu.Lock()
	defer e.mu.Unlock()
	if cl := e.clusters[key]; cl != nil {
		return cl
	}
	p := e.Plan()
	spec := p.Cluster(key)
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

// ErrUnknownHost is why a host is refused where only known ones are allowed.
var ErrUnknownHost = errors.New("no rule and no source knows the host")

// unknown decides about a host that no rule names: a source may know it.
func (e *Engine) unknown(ctx context.Context, s *state, c *Call) (known bool, err error) {
	if e.config.Discovery != nil {
		known, err = e.discover(ctx, s, c)
	}
	if !known && err == nil && e.config.RegistryOnly {
		err = c.refuse(0, ErrUnknownHost.Error(), ErrUnknownHost)
	}
	return known, err
}

// discover asks the configured source for the host and gives it a default route.
func (e *Engine) discover(ctx context.Context, s *state, c *Call) (bool, error) {
	v, ok := s.unknown.Load(c.Target.Name)
	if !ok && e.crowded() {
		return false, nil
	}
	if !ok {
		v, _ = s.unknown.LoadOrStore(c.Target.Name, s.plan.Default(c.Target.Name))
	}
	vh := v.(*plan.VirtualHost)
	cl := e.cluster(s, &vh.Routes[0].Destinations[0], c.Target)
	if cl.upstream == nil {
		return false, nil
	}
	if err := cl.ready(ctx, c); err != nil {
		return false, err
	}
	if cl.upstream.unknown() {
		return false, nil
	}
	c.Target.VirtualHost = vh
	return true, nil
}

// maxClusters bounds how many clusters come to life for hosts that only
// discovery knows: a program that calls ever new hosts (a crawler) must not
// watch them all. Hosts that rules name are not bounded.
const maxClusters = 1 << 14

func (e *Engine) crowded() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.clusters) >= maxClusters
}

// Shadow runs a copy of a call for host in the background, if there is room;
// otherwise the copy is dropped and counted, and Shadow reports false. life ends
// with the engine.
func (e *Engine) Shadow(host string, run func(life context.Context)) bool {
	if !e.room() {
		e.events.MirrorDropped(host)
		return false
	}
	e.Background(func() {
		defer func() { <-e.mirrors }()
		run(e.life)
	})
	return true
}

// room takes a place for one copy, if there is one and the engine lives.
func (e *Engine) room() bool {
	if e.life.Err() != nil {
		return false
	}
	select {
	case e.mirrors <- struct{}{}:
		return true
	default:
		return false
	}
}

// Background runs f on a goroutine that Close waits for; after Close it runs f
// at once.
func (e *Engine) Background(f func()) {
	if !e.tasks.start(f) {
		f()
	}
}

// tasks are goroutines with an owner.
type tasks struct {
	mu     sync.Mutex // orders start with wait
	over   bool
	active sync.WaitGroup
}

func (t *tasks) start(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.active.Go(f)
	}
	return !t.over
}

func (t *tasks) wait() {
	t.mu.Lock()
	t.over = true
	t.mu.Unlock()
	t.active.Wait()
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
