package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// proposals bounds how often the balancer is asked anew when a circuit refuses
// what it proposed, which happens only while circuits change state.
const proposals = 8

var (
	errNoHealthy   = errors.New("no healthy endpoint")
	errNoEndpoints = errors.New("no endpoint")
)

// pick finds a host that may be sent to now.
func (cl *Cluster) pick(c *Call) (*Host, breaker.Permit, error) {
	if c.Tries > 0 || c.hashed || c.Flight == nil {
		return cl.choose(c, nil)
	}
	h := cl.balancer.Any(c.Flight.dice.roll()) // for most calls any host will do
	if h != nil {
		if permit, ok := h.State.circuit.Pass(); ok {
			return h, permit, nil
		}
	}
	return cl.choose(c, h)
}

// choose has the balancer propose hosts, unless one has been proposed, until a circuit
// agrees. In a panic, when too few hosts are healthy, circuits are not asked.
func (cl *Cluster) choose(c *Call, h *Host) (*Host, breaker.Permit, error) {
	now := c.sent
	if c.Tries > 0 {
		now = time.Now()
	}
	p := balancer.Pick[HostState]{Hash: c.hash, HasHash: c.hashed, Tried: c.tried, SkipPriorities: c.skip, Now: now}
	if c.Flight != nil {
		p.Random = c.Flight.dice.roll()
	}
	for range proposals {
		if h == nil {
			if h = cl.balancer.Pick(p); h == nil {
				break
			}
		}
		permit, err := h.State.circuit.Allow(now)
		if err == nil {
			if h.State.circuit.State() == breaker.HalfOpen {
				cl.probing(h)
			}
			return h, permit, nil
		}
		if cl.balancer.Panicking(h) {
			return h, breaker.Permit{}, nil
		}
		p.Tried, h = append(slices.Clip(p.Tried), h), nil // a hash would come back to it
	}
	return nil, breaker.Permit{}, cl.unhealthy()
}

// probing takes a host out of rotation while its one probe is under way, but for
// no longer than its circuit waits for one.
func (cl *Cluster) probing(h *Host) {
	cl.show(h, breaker.HalfOpen, false)
	cl.arm(h, cl.Spec().Outlier.BaseEjectionTime)
}

// unhealthy says why there was nothing to pick.
func (cl *Cluster) unhealthy() error {
	if n := len(cl.Hosts()); n > 0 {
		return errNoHealthy
	}
	if cl.upstream != nil {
		if err := cl.upstream.trouble(); err != nil {
			return err
		}
	}
	if labels := cl.Spec().Labels; len(labels) > 0 {
		return fmt.Errorf("no endpoint has the subset's labels, %s", written(labels))
	}
	return errNoEndpoints
}

// written is labels as people write them: app=reviews,version=v1.
func written(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, name+"="+labels[name])
	}
	return strings.Join(all, ",")
}

// report tells the host's circuit how a try ended and does what follows from it.
func (cl *Cluster) report(h *Host, p breaker.Permit, out breaker.Outcome, now time.Time) breaker.Event {
	circuit := &h.State.circuit
	ev := circuit.Report(p, out, now)
	switch ev.Kind {
	case breaker.Nothing:
		if out != breaker.Success && circuit.State() == breaker.HalfOpen && !circuit.Info(now).Probing {
			cl.halfOpen(h) // the probe said nothing: the next request is one
		}
		return ev
	case breaker.Ejected:
		cl.counts.ejections.Add(1)
		cl.show(h, breaker.Open, false)
		cl.arm(h, ev.Until.Sub(now))
	case breaker.Readmitted, breaker.NotEnforced:
		cl.show(h, breaker.Closed, true)
	}
	cl.balancer.Refresh(now)
	cl.engine.events.Circuit(cl, h, ev)
	return ev
}

// broke counts an answer that broke off as a failure of its host.
func (cl *Cluster) broke(h *Host, now time.Time) {
	if h.State.circuit.State() != breaker.Closed {
		return // an old answer is no probe
	}
	if permit, err := h.State.circuit.Allow(now); err == nil {
		cl.report(h, permit, breaker.LocalFailure, now)
	}
}

// show tells the balancer whether h may be picked, while its circuit is in the
// state that says so, and reports whether it is. Under the lock, so that what an
// earlier state called for does not come last. A closed circuit waits for nothing.
func (cl *Cluster) show(h *Host, in breaker.State, available bool) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	is := h.State.circuit.State() == in
	if is {
		h.SetAvailable(available)
		if in == breaker.Closed {
			cl.disarmLocked(&h.State.circuit)
		}
	}
	return is
}

// arm sets the timer that lets a host be probed: at the end of its ejection, or
// of the wait for a probe.
func (cl *Cluster) arm(h *Host, after time.Duration) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.closed {
		return
	}
	cl.disarmLocked(&h.State.circuit)
	var mine *time.Timer // written before cl.mu is let go, read under it
	mine = time.AfterFunc(after, func() { cl.due(h, &mine) })
	cl.timers[&h.State.circuit] = mine
}

func (cl *Cluster) disarm(c *breaker.Circuit) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.disarmLocked(c)
}

func (cl *Cluster) disarmLocked(c *breaker.Circuit) {
	if t := cl.timers[c]; t != nil {
		t.Stop()
		delete(cl.timers, c)
	}
}

// due is when a host's timer has gone off, unless another has taken its place since:
// a probe may fail in the moment in which the wait for it ends.
func (cl *Cluster) due(h *Host, timer **time.Timer) {
	if cl.strike(&h.State.circuit, timer) {
		cl.halfOpen(h)
	}
}

func (cl *Cluster) strike(c *breaker.Circuit, timer **time.Timer) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.timers[c] != *timer {
		return false
	}
	delete(cl.timers, c)
	return true
}

// halfOpen lets the next request probe a host whose ejection, or probe, is over.
func (cl *Cluster) halfOpen(h *Host) {
	now := time.Now()
	ev := h.State.circuit.Tick(now)
	if !cl.show(h, breaker.HalfOpen, true) {
		return
	}
	cl.balancer.Refresh(now)
	if ev.Kind != breaker.Nothing {
		cl.engine.events.Circuit(cl, h, ev)
	}
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
