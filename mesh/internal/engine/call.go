package engine

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/retry"
)

// A Wire carries the tries of one call: HTTP or gRPC. The engine calls it from
// one goroutine, in the order of the methods.
type Wire interface {
	// Prepare readies the request for the destination that was chosen, once per call.
	Prepare(c *Call)
	// Mirror sends a copy to another destination, on its own time.
	Mirror(c *Call, m *plan.Mirror)
	// Send sends one try to c.Host and returns once the answer's headers are
	// there, or will not come; it says which in c.Outcome. ctx ends with the
	// call, not with the try: the limit of one try is c.TryDeadline.
	Send(ctx context.Context, c *Call)
	// Again readies the request for another try, and gives up the answer that
	// Send returned last, if there was one. If it reports false, the request
	// cannot be sent again after all, and what Send returned stands.
	Again(c *Call) bool
}

// A Call is one request on its journey. Its owner sets Request and the fields
// of the caller; the engine fills in the rest as it learns it. A Call is used
// once, by one goroutine at a time.
type Call struct {
	Request    plan.Request
	Idempotent bool // may be executed twice
	Replayable bool // may be sent twice
	Shadow     bool // a mirror's copy
	Past       Past // of a call that is begun anew
	Patient    bool // a refusal may not be its end: the owner, who may begin it anew, tells of that by Over
	// Flight is the call's place among those under way; nil: it has none.
	Flight *Flight
	// Via is a connection of the caller's own, which carries the call and picks the
	// host; "": the engine picks.
	Via string

	Start    time.Time
	Deadline time.Time // the caller's, then also the route's; zero: none
	Expires  time.Time // the route's alone; zero: none

	Target      plan.Target
	Route       *plan.Route
	Destination *plan.Destination
	Cluster     *Cluster
	Host        *Host
	Local       *Local // the answer, if the rule itself gives it
	Tries       int
	Flags       Flag
	Outcome     Outcome        // of the last try
	Verdict     retry.Decision // what was decided after it

	// Cookie is a hash key made up for a caller that has none yet; it belongs
	// into the answer.
	Cookie *plan.Cookie
	Key    string // the text that was hashed

	// Witness is told what becomes of the call while it is under way. Nil: nobody.
	Witness Witness

	engine   *Engine
	state    *state
	hash     uint64
	hashed   bool
	holds    hold
	permit   breaker.Permit
	sent     time.Time // when the current try began; before the first, when nothing held the call up any more
	seen     time.Time // when its outcome was known
	tried    []*Host
	triedBuf [3]*Host
	been     uint64 // priorities that were tried
	skip     uint64 // those of them not to use again
}

// Past is what stays of the rounds before, of a call that its owner begins anew.
type Past struct {
	start             time.Time // of the first; zero: there was none
	flags             Flag
	faulted, mirrored bool // a rule does either once
}

// Passed is the past of the next round.
func (c *Call) Passed() Past {
	p := c.Past
	p.start, p.flags = c.Start, c.Flags&DelayInjected
	return p
}

// resume takes up a call that was begun before. Its tries have their time from now on.
func (c *Call) resume() {
	if p := &c.Past; !p.start.IsZero() {
		c.sent, c.Start, c.Flags = c.Start, p.start, p.flags
	}
}

// A Witness is told what becomes of one call, as Events is of all. Its methods are
// called on the call's goroutine, never under a lock.
type Witness interface {
	Retrying(wait time.Duration)             // another try follows after wait
	Ejected(ev breaker.Event)                // c.Host was, for what the try came to
	Injected(delay time.Duration, abort int) // a fault: a delay, or an answer of this status
}

// Service is what the request is addressed to. Route must have seen the call.
func (c *Call) Service() discovery.Service { return c.state.plan.Service(c.Target.Name) }

// Host is an endpoint with live counters.
type Host = balancer.Host[HostState]

// HostState is what the engine keeps beside a host's counters.
type HostState struct {
	// Address is the endpoint's, which never changes: it is kept here so that a
	// pick among thousands touches one cache line less. With it, the first word of
	// the circuit, all that a healthy host is asked for, ends the host's first one.
	Address string
	circuit breaker.Circuit
	// Line is what a Wire remembers of the way to the host; nil: nothing.
	Line atomic.Pointer[Line]
	// Told is what whoever reports calls remembers of the host. The engine does not
	// look at it.
	Told atomic.Value
}

// A Line is how a Wire reaches a host, for as long as the cluster's policy and
// what is known of its hosts are what it was decided by. It does not change. The
// engine keeps it and does not look at it.
type Line struct {
	By        *plan.Cluster // the policy
	Described uint64        // Cluster.Described, read before the host was looked at
	Asked     Asked
	Security  uint8  // as the Wire numbers it
	Spelt     string // the host that stands in a URL
}

// Asked is what of a request its line depends on.
type Asked struct {
	Name  string // that the server may have to prove; "": any
	HTTPS bool
	HTTP1 bool // and nothing else
}

// Local is an answer that a rule gives.
type Local struct {
	Status   int
	GRPC     int // code; -1: none
	Body     []byte
	Location string // of a redirect
	Headers  plan.HeaderOps
}

// A Refusal is why the mesh ended a call without an answer from upstream.
type Refusal struct {
	Flag   Flag
	Reason string
	Err    error
}

// Error is the reason and the cause.
func (r *Refusal) Error() string {
	if r.Err == nil {
		return r.Reason
	}
	return r.Reason + ": " + r.Err.Error()
}

// Unwrap is the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// refuse ends the call.
func (c *Call) refuse(flag Flag, reason string, err error) error {
	c.Flags |= flag
	r := &Refusal{Flag: flag, Reason: reason, Err: err}
	if c.Outcome.Err == nil {
		c.Outcome.Err = r // who observes the call's end is told why, too
	}
	return r
}

// RouteName is that of the call's route, for those who are told of it; "" for none.
func (c *Call) RouteName() string {
	if c.Route == nil {
		return ""
	}
	if c.Target.VirtualHost == nil {
		return c.Route.Name
	}
	return c.Route.NameFor(&c.Request, c.Target.PortOf(&c.Request, c.Target.Port))
}

// Rule is the VirtualService that the call goes by, or that has no route for it; nil:
// none.
func (c *Call) Rule() *rules.Meta {
	switch {
	case c.Route != nil: // which may be another rule's for this port, or the default
		return c.Route.Rule
	case c.Target.VirtualHost != nil:
		return c.Target.RuleAt(&c.Request, c.Target.Port)
	}
	return nil
}

// Values is what header templates may ask for.
func (c *Call) Values(protocol string) plan.Values {
	return plan.Values{Request: &c.Request, Protocol: protocol, Start: c.Start}
}

// Now is the time, at about half the price of time.Now: the wall clock is read
// once per call.
func (c *Call) Now() time.Time { return c.Start.Add(time.Since(c.Start)) }

// Sent is when the current try began.
func (c *Call) Sent() time.Time { return c.sent }

// remaining is the time until the deadline.
func (c *Call) remaining(now time.Time) time.Duration {
	if c.Deadline.IsZero() {
		return retry.NoDeadline
	}
	return c.Deadline.Sub(now)
}

// TryDeadline is when the current try must have its headers; zero: no limit.
// A per-try timeout that is not shorter than the rest of the call does not count.
func (c *Call) TryDeadline() (deadline time.Time, perTry bool) {
	if c.Route.Retry.PerTryTimeout > 0 {
		return c.sooner()
	}
	return c.Deadline, false
}

// sooner is the end of the try or of the call, whichever comes first.
func (c *Call) sooner() (deadline time.Time, perTry bool) {
	at := c.sent.Add(c.Route.Retry.PerTryTimeout)
	if c.Deadline.IsZero() || at.Before(c.Deadline) {
		return at, true
	}
	return c.Deadline, false
}
