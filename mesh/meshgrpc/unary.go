package meshgrpc

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/inmesh-go/inmesh/mesh/internal/deadline"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
)

// A unaryCall is a unary call on its journey. It is used again once it is over:
// what gRPC can hold on to stands in its tries.
type unaryCall struct {
	rpc
	errand
	alarms   *deadline.Alarms // kept from call to call, as the next is
	returned *report.Returned // nil: nothing is told
}

// An errand is what a unary call knows of one call alone beside its rpc.
type errand struct {
	reply  any
	invoke grpc.UnaryInvoker
	err    error // of the last try
}

func newUnaryCall(c *client) *unaryCall {
	x := &unaryCall{alarms: c.mesh.Alarms()}
	if to := c.mesh.Reporter; to != nil {
		out := to.Returned()
		x.returned = &out
	}
	return x
}

// unary is a grpc.UnaryClientInterceptor.
func (c *client) unary(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	service, err := c.serviceOf(conn)
	if err != nil {
		return err
	}
	return c.call(order{ctx: ctx, service: service, conn: conn, method: method, options: opts}, request, reply, invoke)
}

// call takes a caller who waits for a connection on the journey as often as need
// be.
func (c *client) call(o order, request, reply any, invoke grpc.UnaryInvoker) error {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		again, err := c.once(&o, wait, request, reply, invoke)
		if !again {
			return err
		}
	}
}

// The pauses between the rounds of a call that waits for a connection.
const (
	firstWait = 20 * time.Millisecond
	lastWait  = time.Second
)

// once is one round. It reports whether another one follows: the caller would rather
// wait than be told that nobody can be reached, and has waited.
func (c *client) once(o *order, wait time.Duration, request, reply any, invoke grpc.UnaryInvoker) (again bool, err error) {
	x := c.unaries.Get().(*unaryCall)
	returned := false
	defer func() { x.leave(returned) }()
	x.reply, x.invoke = reply, invoke
	x.begin(c, *o)
	x.message = request
	again, err = x.travel(wait)
	o.past, returned = x.call.Passed(), true
	return again, err
}

func (x *unaryCall) travel(wait time.Duration) (again bool, err error) {
	e := x.client.mesh.Engine
	ours, err := e.Route(x.ctx, &x.call)
	if !ours && err == nil {
		return false, x.passOn()
	}
	ctx := x.reported(x.ctx)
	if err == nil {
		err = e.Do(ctx, &x.call, x)
	}
	if x.waits(err) && sleep(x.ctx, wait) {
		x.report.Drop()
		return true, nil
	}
	x.conclude(err)
	err = x.end(err)
	x.tellEnd(err)
	x.opts.finish(err)
	return false, err
}

// passOn makes a call that is not the mesh's.
func (x *unaryCall) passOn() error {
	p := x.passage()
	defer p.over(errPanicked) // unless it is over
	err := x.invoke(x.pass(), x.method, x.message, x.reply, x.conn, x.options...)
	p.over(err)
	return err
}

// leave ends the use of a call. Where an interceptor or a hook of the observer's has
// panicked, it gives back what the call holds, and is not used again: who has panicked
// may not have let go of it.
func (x *unaryCall) leave(returned bool) {
	if returned {
		x.free()
	} else {
		x.call.Abort()
		x.about.End()
		x.tellEnd(errPanicked)
	}
}

func (x *unaryCall) free() {
	pool := &x.client.unaries
	x.trip, x.errand = trip{}, errand{}
	x.report.Renew()
	pool.Put(x)
}

// end is what the caller is told.
func (x *unaryCall) end(err error) error {
	switch {
	case err != nil:
		return x.refused(err)
	case x.call.Local != nil:
		return x.answer()
	}
	x.respond()
	x.finish(x.err)
	return x.err
}

// Send implements engine.Wire. A unary call has its headers when it has all.
func (x *unaryCall) Send(ctx context.Context, c *engine.Call) {
	var until time.Time
	until, x.perTry = c.TryDeadline()
	t := x.limitedTry(ctx, until)
	defer t.limit.Stop()
	x.err = x.invoke(t, x.path, x.message, x.reply, x.conn, x.optionsOf(t)...)
	c.Outcome = x.outcome(t, x.err)
	x.keepTime()
	x.about.Saw(&c.Outcome)
	x.about.Status(int(codeOf(x.err)))
	x.about.End()
}

// limitedTry is newTry, with an end of its own if ctx does not end sooner.
func (x *unaryCall) limitedTry(ctx context.Context, until time.Time) *try {
	if !sooner(ctx, until) {
		return x.newTry(ctx)
	}
	t := new(limitedTry)
	t.Context = x.attempt(ctx)
	t.own.Begin(x.alarms, t.Context, until)
	t.limit, t.whole = &t.own, inMilliseconds(until.Sub(x.call.Sent()))
	x.fill(&t.try)
	return &t.try
}

// Again implements engine.Wire: a message can be sent as often as one likes.
func (x *unaryCall) Again(*engine.Call) bool { return true }
