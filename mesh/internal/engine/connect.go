package engine

import (
	"context"
	"net/netip"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/retry"
)

// RouteTCP is stage 1 for a raw connection: c.Request.Authority is its host and
// port. to is the address if the host is one, else the zero AddrPort: an address is
// that of the service that lists it, and no source of names is asked for it.
func (e *Engine) RouteTCP(ctx context.Context, c *Call, to netip.AddrPort) (ours bool, err error) {
	c.engine, c.state, c.sent = e, e.state.Load(), c.Start
	c.Target = c.state.plan.Lookup(c.Request.Authority)
	if c.Target.VirtualHost == nil && to.IsValid() {
		c.Target = c.state.plan.LookupAddress(to)
	}
	if c.Target.VirtualHost == nil {
		if known, err := e.unknownTCP(ctx, c, to); !known {
			return err != nil, err
		}
	}
	c.Route = c.Target.MatchTCP(to.Addr(), c.Target.Port)
	return true, nil
}

// unknownTCP: where unknown hosts are refused, Istio's proxy sends to a cluster that
// has no endpoint.
func (e *Engine) unknownTCP(ctx context.Context, c *Call, to netip.AddrPort) (known bool, err error) {
	switch {
	case !to.IsValid():
		known, err = e.unknown(ctx, c.state, c)
	case e.config.RegistryOnly:
		err = c.refuse(0, ErrUnknownHost.Error(), ErrUnknownHost)
	}
	if err != nil && c.Flags == 0 {
		c.Flags = NoHealthyHost
	}
	return known, err
}

// Connect carries a raw connection through the mesh, as Do carries a request, in
// the same stages: it takes a place among the cluster's connections, where a request
// takes one among its requests, and is tried once, as by Istio's proxy. After nil
// the connection stands, and its owner calls Disconnect when it ends. Anything else
// is a *Refusal, and all is given back.
//
// RouteTCP must have seen the call, whose owner tells of its end: Events are not.
func (e *Engine) Connect(ctx context.Context, c *Call, dial func(context.Context) Outcome) error {
	if err := e.destination(ctx, c); err != nil {
		return err
	}
	if err := c.Cluster.gate.TakeSlot(); err != nil {
		return c.over(Failed(retry.Overflow, err))
	}
	stands := false
	defer func() {
		if !stands { // for whatever reason: dial is callers' code, too, and may panic
			c.Abort()
			c.Cluster.gate.ReleaseSlot()
		}
	}()
	err := c.reach(ctx, dial)
	stands = err == nil
	return err
}

// reach is stages 4 to 7.
func (c *Call) reach(ctx context.Context, dial func(context.Context) Outcome) error {
	if err := c.pick(); err != nil {
		return err
	}
	c.Tries++
	c.Outcome = dial(ctx)
	c.observe()
	if c.Outcome.Failure == retry.ConnectFailure { // Envoy's max_connect_attempts is 1, and used up
		c.Flags |= RetriesExhausted
	}
	return c.over(c.Outcome)
}

// Settle forgets of a connection that stands all that only the way there needed: a
// plan need not live for as long as a connection.
func (c *Call) Settle() {
	c.state, c.Route, c.Destination, c.Target, c.Request = nil, nil, nil, plan.Target{}, plan.Request{}
}

// Disconnect ends a connection that Connect has made. It is called once.
func (c *Call) Disconnect() {
	c.release()
	c.Cluster.gate.ReleaseSlot()
}
