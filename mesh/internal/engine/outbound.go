package engine

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/retry"
)

// Do carries a call through the mesh. After nil the call has an answer: the
// rule's own (c.Local), or upstream's, in which case the owner calls Finish when
// it has been read. Anything else is a *Refusal, and all is given back.
//
// c.Target and c.Route must have been found by Route.
func (e *Engine) Do(ctx context.Context, c *Call, w Wire) error {
	if c.state == nil { // a copy, whose route is given
		c.engine, c.state = e, e.state.Load()
	}
	if c.sent.IsZero() {
		c.sent = c.Start
	}
	err := e.do(ctx, c, w)
	if err != nil || c.Local != nil {
		c.land()
		e.grounded(c)
	}
	return err
}

// Over tells of the end of a Patient call that Route or Do has refused, or answered.
func (e *Engine) Over(c *Call) { e.events.Done(c) }

func (e *Engine) do(ctx context.Context, c *Call, w Wire) error {
	if c.Route.Special() { // before everything that costs upstream anything
		if done, err := e.special(ctx, c); done || err != nil {
			return err
		}
	}
	if err := e.destination(ctx, c); err != nil { // once: retries stay with the arm that was chosen
		return err
	}
	w.Prepare(c) // header changes and rewrites come before mirrors, which send what they made
	for {
		if err := c.admit(); err != nil { // per try: a wait between tries holds no place
			return err
		}
		if err := c.pick(); err != nil { // after admission, so that the load it compares is that of admitted requests
			return err
		}
		c.attempt(ctx, w)
		c.observe() // before deciding, so that a host that fails now is not picked again
		if again, err := c.decide(ctx, w); !again {
			return err
		}
	}
}

// Route is stage 1: the virtual host and its route. It reports whether the mesh
// has a say in the request at all; if not, it is to pass unchanged.
func (e *Engine) Route(ctx context.Context, c *Call) (ours bool, err error) {
	c.engine, c.state = e, e.state.Load()
	c.resume()
	c.Target = c.state.plan.Lookup(c.Request.Authority)
	c.Target.Protocol = c.Request.Protocol()
	c.Target.Via = c.Via
	if c.Target.VirtualHost == nil {
		if known, err := e.unknown(ctx, c.state, c); !known {
			if err != nil {
				e.grounded(c)
			}
			return err != nil, err
		}
	}
	if c.Route = c.Target.Match(&c.Request, c.Target.Port); c.Route == nil {
		err = c.refuse(NoRoute, "no route matches", nil)
		e.grounded(c)
	}
	return true, err
}

// grounded tells of a call that has no answer of upstream's.
func (e *Engine) grounded(c *Call) {
	if !c.Patient {
		e.events.Done(c)
	}
}

// destination is stage 2: one arm of the split, and its cluster with endpoints.
func (e *Engine) destination(ctx context.Context, c *Call) error {
	if c.Route.Timeout > 0 {
		c.limit()
	}
	if c.Destination = c.Route.Sole(); c.Destination == nil {
		c.Destination = c.arm()
	}
	c.Cluster = e.cluster(c.state, c.Destination, &c.Target)
	spec := c.Cluster.Spec()
	if spec.Missing != "" {
		return c.refuse(NoCluster, spec.Missing, nil)
	}
	if spec.Hash != nil && !spec.Hash.Same(c.Route.Sticky) { // else the host goes by what the arm went by
		c.hashed = false
		c.identify(spec.Hash)
	}
	if c.Cluster.ready() {
		return nil
	}
	return c.Cluster.await(ctx, c)
}

// limit takes the route's timeout into the deadline. It starts after an injected
// delay.
func (c *Call) limit() {
	c.Expires = c.sent.Add(c.Route.Timeout)
	if c.Deadline.IsZero() || c.Expires.Before(c.Deadline) {
		c.Deadline = c.Expires
	}
}

// arm is one of the split. In a sticky split it is chosen by the user's hash, in
// another mix than the balancer's, so that the arm says nothing about the host
// within it.
func (c *Call) arm() *plan.Destination {
	if key := c.Route.Sticky; key != nil && c.identify(key) {
		return c.Route.Choose(uint32(mix(c.hash)))
	}
	return c.Route.Choose(rand.Uint32())
}

// mirror starts the copies of a call, in parallel with the first try. As in Envoy that
// has its place by then, and what is sent nowhere is not mirrored: a copy to the same
// hosts does not take the place of its original.
func (c *Call) mirror(w Wire) {
	for i := range c.Route.Mirrors {
		if m := &c.Route.Mirrors[i]; m.Fraction.Hit(rand.Uint32()) {
			w.Mirror(c, m)
		}
	}
}

// admit is stage 3: the limits of the cluster.
func (c *Call) admit() error {
	if err := c.Cluster.gate.AcquireRequest(); err != nil {
		return c.over(Failed(retry.Overflow, err))
	}
	c.holds |= holdsRequest
	if c.Tries == 0 { // a retry is no new request
		c.Cluster.budget.Observe(c.sent)
	}
	return nil
}

// pick is stage 4: a host that the balancer proposes and whose circuit agrees.
func (c *Call) pick() error {
	h, permit, err := c.Cluster.pick(c)
	if err != nil {
		return c.over(Failed(retry.NoHealthy, err))
	}
	c.Host, c.permit = h, permit
	h.Begin()
	c.holds |= holdsHost
	return nil
}

// attempt is stage 5.
func (c *Call) attempt(ctx context.Context, w Wire) {
	c.Tries++
	if c.Tries > 1 {
		c.sent, c.seen = c.Now(), time.Time{}
	} else if len(c.Route.Mirrors) > 0 && !c.Past.mirrored {
		c.Past.mirrored = true
		c.mirror(w)
	}
	c.fly()
	if h := c.hedger(w); h == nil || !c.hedge(ctx, h) {
		w.Send(ctx, c)
	}
	c.Outcome.Idempotent, c.Outcome.Unreplayable = c.Idempotent, !c.Replayable
}

// observe is stage 6.
func (c *Call) observe() {
	out := c.Outcome.circuit()
	timed := c.Host.Measured()
	if out == breaker.Success && !timed && c.Host.State.circuit.Untroubled(c.permit) {
		return // the common end: there is nothing to tell, and nobody asks when it was
	}
	c.seen = c.Now()
	ev := c.Cluster.report(c.Host, c.permit, out, c.seen)
	c.permit = breaker.Permit{}
	if c.Witness != nil && ev.Kind == breaker.Ejected {
		c.Witness.Ejected(ev)
	}
}

// decide is stage 7. An answer that is not retried is the caller's, whatever its
// status; a try without one ends the call.
func (c *Call) decide(ctx context.Context, w Wire) (again bool, err error) {
	if c.Outcome.Failure == retry.None && !c.Route.Retry.On.Match(&c.Outcome.Try) {
		c.Verdict = retry.Final
		c.endRetry()      // with its headers, as in Envoy: the answer may take for ever
		return false, nil // the common end, without a second look
	}
	wait, verdict := c.next()
	if verdict.Retry() && !w.Again(c) {
		c.endRetry()
		verdict = retry.Unreplayable
	}
	c.Verdict = verdict
	if !verdict.Retry() {
		return false, c.over(c.Outcome)
	}
	c.release()
	c.Cluster.counts.retries.Add(1)
	c.engine.events.Retrying(c, wait)
	if c.Witness != nil {
		c.Witness.Retrying(wait)
	}
	if !sleep(ctx, wait) {
		c.endRetry()
		return false, c.over(Ended(ctx))
	}
	c.remember()
	return true, nil
}

// next asks the policy, then the cluster's budget, which is spent last because
// it is the one thing that others share.
func (c *Call) next() (time.Duration, retry.Decision) {
	c.endRetry()
	now := time.Now()
	wait, verdict := c.Route.Retry.Next(c.Outcome.Try, c.Tries-1, c.remaining(now))
	if verdict == retry.Exhausted && c.Tries > 1 {
		c.Flags |= RetriesExhausted
	}
	if verdict.Retry() {
		if !c.Cluster.acquireRetry(now) {
			c.Flags |= Overflow
			c.Cluster.counts.refused.Add(1)
			return 0, retry.OverBudget
		}
		c.holds |= holdsRetry
	}
	return wait, verdict
}

// remember notes the host that was tried, so that the next pick avoids it, and after
// every second try plans without the priorities of all (Envoy's previous_priorities).
func (c *Call) remember() {
	if c.Route.Retry.AvoidTried {
		if c.tried == nil {
			c.tried = c.triedBuf[:0]
		}
		c.tried = append(c.tried, c.Host)
	}
	if c.been |= 1 << c.Host.Priority(); c.Route.Retry.RemoteLocalities && c.Tries%2 == 0 {
		c.skip = c.been
	}
}

// over ends the call: with upstream's answer if there is one, else with a refusal.
func (c *Call) over(o Outcome) error {
	c.Outcome = o
	if o.Failure == retry.None {
		return nil
	}
	if o.Failure == retry.Overflow {
		c.Cluster.counts.overflows.Add(1)
	}
	c.release()
	c.endRetry()
	return c.refuse(o.Flag, o.Failure.String(), o.Err)
}

// Broken says, before Finish, how the body of the answer broke off; the zero Outcome:
// it did not. A connection that ended is a failure of the host; time that was up is
// not, for the host had answered.
func (c *Call) Broken(o Outcome) {
	c.Flags |= o.Flag
	if o.Failure == retry.Reset {
		c.Cluster.broke(c.Host, time.Now())
	}
}

// Finish is called once, when the answer has been read or given up.
func (c *Call) Finish() {
	c.release()
	c.endRetry()
	c.land()
	c.engine.events.Done(c)
}

// identify hashes what the key says of the request; a cookie that the caller
// lacks is made up if the rule wants it.
func (c *Call) identify(key *plan.HashKey) bool {
	value, ok := key.Value(&c.Request)
	if !ok && key.Cookie != nil && key.Cookie.Generate {
		value, ok = newCookieValue(), true
		c.Cookie = key.Cookie
	}
	if ok {
		c.Key, c.hash, c.hashed = value, hashOf(value), true
	}
	return ok
}

// sleep waits for d and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
