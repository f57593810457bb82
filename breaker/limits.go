package breaker

import (
	"container/list"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Limits are the connectionPool limits of one destination, all its hosts
// together. In each, 0 means no limit.
type Limits struct {
	MaxConnections uint32 // tcp.maxConnections: HTTP/1 requests in flight, for each needs a connection
	MaxPending     uint32 // http.http1MaxPendingRequests: requests that wait for a connection or a dial
	MaxRequests    uint32 // http.http2MaxRequests: concurrent requests of any protocol
	MaxRetries     uint32 // http.maxRetries: concurrent retries
}

// ErrOverflow is what errors.Is finds in every refusal by a limit.
var ErrOverflow = errors.New("circuit breaker overflow")

// An OverflowError says which limit refused a request.
type OverflowError struct {
	Limit string // the rule's field: "http2MaxRequests"
	Max   uint32
}

// Error names the limit and its value.
func (e *OverflowError) Error() string {
	return fmt.Sprintf("%v: %s is %d", ErrOverflow, e.Limit, e.Max)
}

// Is makes every OverflowError an ErrOverflow.
func (e *OverflowError) Is(target error) bool { return target == ErrOverflow }

// A Gate holds the counters of one destination and compares them with its
// Limits before admission: "circuit breaking" in Envoy's sense has no state
// machine and no timer. The zero Gate has no limits. It counts without limits
// too, so that one set later knows the requests already under way. A Gate must
// not be copied.
type Gate struct {
	mu    sync.Mutex // orders queue with limits, and who sleeps with who wakes
	queue list.List  // of *waiter, the first comer in front
	// waiting is at least the length of queue, for a look without the lock.
	waiting atomic.Int32

	// The counters are together on one cache line, and off the one of those who only
	// read: a request that counts in one counts in the next right after, while the
	// line is still its core's. Their limits are stored under mu.
	_        [64]byte
	requests counter
	slots    counter
	retries  counter
	pending  counter
	_        [32]byte
}

// Limits returns those in force.
func (g *Gate) Limits() Limits {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Limits{
		MaxConnections: g.slots.most.Load(),
		MaxPending:     g.pending.most.Load(),
		MaxRequests:    g.requests.most.Load(),
		MaxRetries:     g.retries.most.Load(),
	}
}

// SetLimits puts new limits in force. Requests already admitted stay, also when
// they exceed them; requests that wait for a connection go on as far as the new
// MaxConnections lets them.
func (g *Gate) SetLimits(l Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.slots.most.Store(l.MaxConnections)
	g.pending.most.Store(l.MaxPending)
	g.requests.most.Store(l.MaxRequests)
	g.retries.most.Store(l.MaxRetries)
	g.grantLocked()
}

// AcquireRequest admits a request, or returns an *OverflowError. ReleaseRequest
// must follow its end.
func (g *Gate) AcquireRequest() error {
	if g.requests.take() {
		return nil
	}
	return g.requests.refusal("http2MaxRequests")
}

// ReleaseRequest ends a request that AcquireRequest admitted.
func (g *Gate) ReleaseRequest() { g.requests.release() }

// AcquireRetry admits a retry, or returns an *OverflowError. ReleaseRetry must
// follow its end.
func (g *Gate) AcquireRetry() error {
	if g.retries.take() {
		return nil
	}
	return g.retries.refusal("maxRetries")
}

// ReleaseRetry ends a retry that AcquireRetry admitted.
func (g *Gate) ReleaseRetry() { g.retries.release() }

// AcquirePending admits a request that waits for a dial, or returns an
// *OverflowError. ReleasePending must follow the wait. AcquireSlot does its own
// counting.
func (g *Gate) AcquirePending() error {
	if g.pending.take() {
		return nil
	}
	return g.pending.refusal("http1MaxPendingRequests")
}

// ReleasePending ends a wait that AcquirePending admitted.
func (g *Gate) ReleasePending() { g.pending.release() }

// Usage is what a Gate counts at one moment.
type Usage struct {
	Requests    int // under way
	Retries     int // under way
	Pending     int // waiting for a slot or a dial
	Connections int // slots taken
}

// Usage returns the counts. They are read one after the other, not of the same
// instant, and those who are just being refused count until they are.
func (g *Gate) Usage() Usage {
	return Usage{
		Requests:    g.requests.load(),
		Retries:     g.retries.load(),
		Pending:     g.pending.load(),
		Connections: g.slots.load(),
	}
}
