package engine

import (
	"context"
	"math/rand/v2"
	"time"
)

// special is what a rule does to the request beside sending it: injected faults, and
// an answer of its own, which needs no upstream.
func (e *Engine) special(ctx context.Context, c *Call) (done bool, err error) {
	if !c.Past.faulted {
		c.Past.faulted = true
		if done, err := e.fault(ctx, c); done || err != nil {
			return done, err
		}
	}
	return c.answer(), nil
}

// fault rolls for the delay, then for the abort. Neither counts for breakers or
// retries, and the route's timeout starts after them.
func (e *Engine) fault(ctx context.Context, c *Call) (aborted bool, err error) {
	f := &c.Route.Fault
	if f.DelayFraction > 0 && f.DelayFraction.Hit(rand.Uint32()) {
		c.Flags |= DelayInjected
		c.injected(f.Delay, 0)
		c.fly()
		if !sleep(ctx, f.Delay) {
			return false, c.over(Ended(ctx))
		}
		c.sent = c.Now()
	}
	if f.AbortFraction > 0 && f.AbortFraction.Hit(rand.Uint32()) {
		c.Flags |= FaultInjected
		c.injected(0, f.AbortStatus)
		c.Local = &Local{Status: f.AbortStatus, GRPC: f.AbortGRPC, Body: []byte("fault filter abort")}
		return true, nil
	}
	return false, nil
}

func (c *Call) injected(delay time.Duration, abort int) {
	if c.Witness != nil {
		c.Witness.Injected(delay, abort)
	}
}

// answer gives the answer of a route that has one of its own.
func (c *Call) answer() bool {
	switch r := c.Route; {
	case r.Redirect != nil:
		port := c.Target.PortOf(&c.Request, c.Target.Port)
		c.Local = &Local{Status: r.Redirect.Status, GRPC: -1, Location: r.Location(&c.Request, port), Headers: r.Redirect.Headers}
	case r.Direct != nil:
		c.Local = &Local{Status: r.Direct.Status, GRPC: -1, Body: r.Direct.Body, Headers: r.Direct.Headers}
	}
	return c.Local != nil
}
