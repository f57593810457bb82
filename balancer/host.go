package balancer

import (
	"maps"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
)

// A Host is an endpoint with live counters. It lives as long as its address is in the updates,
// whatever else changes. All methods are safe for concurrent use, and none takes a lock.
//
// A pick reads the first cache line of each host that it looks at: 64 bytes, of which the balancer's
// own take 40 and the rest is the first of State. The allocator aligns a Host to cache lines, so that no
// two share one, if State makes it a multiple of 64 bytes up to 128: with 8, or with 72.
type Host[T any] struct {
	member
	// State is what the owner keeps beside the counters: connections, a circuit. The balancer
	// never touches it after New's begin has made it.
	State T

	// Guarded by Balancer.mu: which Update last named the host, and whether it is in the balancer.
	round uint64
	known bool
}

// A member is what the algorithms see of a host. What every pick reads stands first, on one
// cache line.
type member struct {
	active   atomic.Int64
	status   atomic.Uint32
	priority atomic.Int32
	cost     atomic.Uint64 // an estimate
	joined   atomic.Int64  // Unix nanoseconds
	endpoint atomic.Pointer[discovery.Endpoint]
}

// Why a host may not be picked, and what else there is to know of it.
const (
	ejected   uint32 = 1 << iota // the owner said SetAvailable(false)
	unhealthy                    // the source said so
	draining                     // the source said so
	measured                     // the policy is PeakEWMA
	unplaced                     // no priority has it: it drains, or a rule of place gives it nothing
	gone                         // the latest Update did not name it

	unwanted = ejected | unhealthy | draining
)

// Endpoint returns the latest description of the host.
func (m *member) Endpoint() discovery.Endpoint { return *m.endpoint.Load() }

// Address returns the endpoint's address, which never changes.
func (m *member) Address() string { return m.endpoint.Load().Address }

// Active returns the number of requests of this process in flight to the host.
func (m *member) Active() int64 { return m.active.Load() }

// Begin counts one more request in flight. Each needs one End, or Leave.
func (m *member) Begin() { m.active.Add(1) }

// End counts one request less in flight. rtt is how long the answer took, ok whether it was one
// that speaks for the host; peak EWMA learns from both, the other policies from neither.
func (m *member) End(rtt time.Duration, ok bool, now time.Time) {
	m.active.Add(-1)
	if m.has(measured) {
		m.learn(rtt, ok, now.UnixNano())
	}
}

// GiveUp is End of a request that its sender gave up after waiting for so long: peak
// EWMA learns that the host takes longer than that, if it knew of less.
func (m *member) GiveUp(waited time.Duration, now time.Time) {
	m.active.Add(-1)
	if m.has(measured) {
		m.learnPeak(waited, now.UnixNano())
	}
}

// Leave is End of a request that nothing is to be learned from.
func (m *member) Leave() { m.active.Add(-1) }

// Measured reports whether End learns from how long an answer took.
func (m *member) Measured() bool { return m.has(measured) }

// SetAvailable(false) takes the host out of every pick that starts afterwards, unless in a panic;
// SetAvailable(true) lets it back. The sets, priorities and panics that follow from it are
// recomputed by Balancer.Refresh.
func (m *member) SetAvailable(available bool) {
	m.mark(ejected, !available)
}

// Available reports what SetAvailable said last; true at first.
func (m *member) Available() bool { return !m.has(ejected) }

// Gone reports whether an Update has removed the host.
func (m *member) Gone() bool { return m.has(gone) }

// Priority returns the host's priority: 0 is the most wanted. While the host drains, or no rule of
// place gives it any traffic, it is the last one it had.
func (m *member) Priority() int { return int(m.priority.Load()) }

// mark writes only what changes: other cores are reading the same line.
func (m *member) mark(bit uint32, set bool) {
	switch {
	case m.has(bit) == set:
	case set:
		m.status.Or(bit)
	default:
		m.status.And(^bit)
	}
}

// has reports whether any of bits is set.
func (m *member) has(bits uint32) bool { return m.status.Load()&bits != 0 }

// describe stores the latest description, and begins the warm-up anew where the source calls the
// host healthy again.
func (m *member) describe(ep discovery.Endpoint, now time.Time) {
	if old := m.endpoint.Load(); old == nil || old.Health != discovery.Healthy && ep.Health == discovery.Healthy {
		m.joined.Store(now.UnixNano())
	}
	m.endpoint.Store(&ep)
	m.mark(unhealthy, ep.Health == discovery.Unhealthy)
	m.mark(draining, ep.Health == discovery.Draining)
}

// described reports whether ep says nothing new.
func (m *member) described(ep *discovery.Endpoint) bool {
	old := m.endpoint.Load()
	return old.Weight == ep.Weight && old.Health == ep.Health && old.Locality == ep.Locality &&
		old.Identity == ep.Identity && maps.Equal(old.Labels, ep.Labels)
}
