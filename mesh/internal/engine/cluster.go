package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/retry"
)

// A Cluster is the live side of a plan.Cluster: hosts with their counters and
// circuits, the limits, the budget. It outlives the plans; a new plan only
// changes its policy.
type Cluster struct {
	Key plan.ClusterKey

	engine   *Engine
	upstream *upstream // nil: there is no such cluster
	spec     atomic.Pointer[plan.Cluster]
	plan     atomic.Pointer[plan.Plan] // that spec is of
	balancer *balancer.Balancer[HostState]
	detector *breaker.Detector
	budget   *retry.Budget
	gate     breaker.Gate
	counts   counters

	met     atomic.Bool // by those who look for strangers
	removed bool        // from the engine; guarded by its mu

	described atomic.Uint64 // changes after what is known of a host may have

	mu     sync.Mutex                       // guards timers and closed, and orders what hosts are shown as
	timers map[*breaker.Circuit]*time.Timer // end of each ejection, and of each probe
	closed bool
}

func newCluster(e *Engine, p *plan.Plan, spec *plan.Cluster) *Cluster {
	cl := &Cluster{
		Key:      spec.Key,
		engine:   e,
		detector: breaker.NewDetector(spec.Outlier),
		budget:   new(retry.Budget),
		timers:   map[*breaker.Circuit]*time.Timer{},
	}
	cl.balancer = balancer.New(spec.Balancer, func(s *HostState, e discovery.Endpoint) {
		s.Address = e.Address
		cl.detector.Join(&s.circuit)
	})
	cl.plan.Store(p)
	cl.configure(spec)
	return cl
}

// Spec is the policy in force.
func (cl *Cluster) Spec() *plan.Cluster { return cl.spec.Load() }

// Described is another number after each change of what sources say of the hosts.
func (cl *Cluster) Described() uint64 { return cl.described.Load() }

// Gate holds the cluster's limits.
func (cl *Cluster) Gate() *breaker.Gate { return &cl.gate }

// Hosts are all known hosts.
func (cl *Cluster) Hosts() []*Host { return cl.balancer.Hosts() }

// Discovered is when the source of the hosts last said who they are, zero for
// never, and what has ailed it since.
func (cl *Cluster) Discovered() (at time.Time, trouble error) {
	if cl.upstream == nil {
		return time.Time{}, nil
	}
	return cl.upstream.heardOf()
}

// CircuitInfo is the state of a host's circuit.
func (cl *Cluster) CircuitInfo(h *Host, now time.Time) breaker.Info { return h.State.circuit.Info(now) }

// fits says that the cluster can go on by spec.
func (cl *Cluster) fits(spec *plan.Cluster) bool {
	return spec.Missing == "" && keyOf(spec) == cl.upstream.key
}

// configure puts a policy in force. Counters, circuits and hosts stay.
func (cl *Cluster) configure(spec *plan.Cluster) {
	cl.spec.Store(spec)
	cl.gate.SetLimits(spec.Limits)
	out := cl.out()
	cl.detector.Configure(spec.Outlier)
	if spec.Budget == nil || cl.budget.Configure(*spec.Budget) != nil { // validated with the rule
		cl.budget.Remove()
	}
	now := time.Now()
	for _, h := range cl.Hosts() {
		cl.show(h, breaker.Closed, true)
	}
	_ = cl.balancer.Configure(spec.Balancer, now) // validated with the rule
	if !spec.Outlier.Enabled {
		cl.welcome(out)
	}
}

// out are the hosts that are ejected or half-open.
func (cl *Cluster) out() (hosts []*Host) {
	for _, h := range cl.Hosts() {
		if h.State.circuit.State() != breaker.Closed {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// welcome tells of hosts that are back because nobody detects outliers any more.
func (cl *Cluster) welcome(back []*Host) {
	for _, h := range back {
		cl.engine.events.Circuit(cl, h, breaker.Event{Kind: breaker.Readmitted})
	}
}

// update takes in a new set of endpoints, of which the subset's are the cluster's.
func (cl *Cluster) update(endpoints []discovery.Endpoint) {
	spec := cl.Spec()
	mine := make([]discovery.Endpoint, 0, len(endpoints))
	for i := range endpoints {
		if spec.Has(&endpoints[i]) {
			mine = append(mine, endpoints[i])
		}
	}
	_, removed := cl.balancer.Update(mine, time.Now())
	cl.described.Add(1)
	for _, h := range removed {
		cl.detector.Forget(&h.State.circuit)
		cl.disarm(&h.State.circuit)
	}
	if len(removed) > 0 { // told later: the upstream is locked now
		cl.engine.Background(func() { cl.farewell(removed) })
	}
}

func (cl *Cluster) farewell(gone []*Host) {
	for _, h := range gone {
		cl.engine.events.HostGone(cl, h)
	}
}

// ready reports whether the cluster's endpoints have been heard of.
func (cl *Cluster) ready() bool { return cl.upstream == nil || cl.upstream.settled() }

// await waits until that is so.
func (cl *Cluster) await(ctx context.Context, c *Call) error {
	if c.Route != nil { // else this is asked for the route's sake
		c.fly()
	}
	if o := cl.upstream.await(ctx, c.remaining(c.Now())); o.Failure != retry.None {
		return c.over(o)
	}
	c.sent = c.Now()
	return nil
}

// acquireRetry takes one retry from the budget and from the limit; a plan sets
// one of the two at the most.
func (cl *Cluster) acquireRetry(now time.Time) bool {
	// The requests under way include those that wait for a connection.
	if !cl.budget.Acquire(cl.gate.Usage().Requests, now) {
		return false
	}
	if cl.gate.AcquireRetry() != nil {
		cl.budget.Release()
		return false
	}
	return true
}

func (cl *Cluster) releaseRetry() {
	cl.budget.Release()
	cl.gate.ReleaseRetry()
}

// Closed reports that the cluster is no more: only calls under way have it.
func (cl *Cluster) Closed() bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.closed
}

// close stops the timers. Calls under way finish.
func (cl *Cluster) close() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.closed = true
	for _, t := range cl.timers {
		t.Stop()
	}
	clear(cl.timers)
}
