package report

import (
	"context"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/retry"
)

// An Outbound is what is told of one call. The zero Outbound tells nothing. Who
// carries the call fills in the exported fields before End. It is one
// goroutine's, and used once.
type Outbound struct {
	Protocol telemetry.Protocol
	Secure   bool // the last try went over mutual TLS

	reporter *Reporter // nil: nothing is told
	call     *engine.Call
	span     telemetry.Span
	name     string
	carries  telemetry.Carried // by the call's context
}

// Renew makes an Outbound that is over a zero one, for those who use theirs again.
// One that never began is zero already.
func (o *Outbound) Renew() {
	if o.reporter != nil {
		*o = Outbound{}
	}
}

// Begin begins to report a call. Its headers may carry a trace, which goes on
// where ctx has none. The context is for Do: spans of tries are under it.
func (o *Outbound) Begin(ctx context.Context, r *Reporter, c *engine.Call, headers telemetry.Carrier, name string) context.Context {
	if r == nil {
		return ctx
	}
	o.reporter, o.call, o.name = r, c, name
	if traced := o.span.Call(ctx, r.telemetry, headers, name); o.span.Recording() {
		c.Witness = o
		ctx = traced // what is not recorded is not to be found there either
	}
	o.carries = o.span.Carries(ctx)
	return ctx
}

// Begun reports whether there is anybody to tell.
func (o *Outbound) Begun() bool { return o.reporter != nil }

// Carries says what Inject has to write.
func (o *Outbound) Carries() telemetry.Carried { return o.carries }

// Inject writes the trace into the headers of a try, which must be its own: a is
// the try's report, nil if it has none.
func (o *Outbound) Inject(ctx context.Context, a *Attempt, headers telemetry.Carrier) {
	switch {
	case a != nil:
		a.span.Inject(ctx, headers)
	case o.carries == telemetry.CarriesParent:
		o.span.InjectParent(headers)
	case o.carries != telemetry.CarriesNothing:
		o.span.Inject(ctx, headers)
	}
}

// AppendTraceparent appends the value of traceparent, for those who write headers
// by hand; a is the try's report, nil if it has none.
func (o *Outbound) AppendTraceparent(b []byte, a *Attempt) []byte {
	if a != nil {
		return a.span.AppendTraceparent(b)
	}
	return o.span.AppendTraceparent(b)
}

// Detailed reports whether somebody reads Details.
func (o *Outbound) Detailed() bool {
	return o.span.Recording() || o.reporter.Wants()
}

// Wanted are the details that are to be filled in before End; nil: nobody reads
// them. It decides for End, too, and is called before it.
func (o *Outbound) Wanted(out *Returned) *telemetry.Details {
	if o.Detailed() {
		out.Result.Details = &out.Details
	}
	return out.Result.Details
}

// A Returned is how a call came out: Code, GRPC, bytes and messages are the face's
// to fill in, and Details if they are Wanted; the rest is End's. The zero Returned
// is good for one call; one of Reporter.Returned is quicker, and is to be kept for
// those that follow.
type Returned struct {
	telemetry.Result
	Details telemetry.Details
}

// Returned makes one that has a place to count in.
func (r *Reporter) Returned() Returned {
	return Returned{Result: telemetry.Result{Lane: r.telemetry.Lane()}}
}

// End tells how the call came out. It is called once, when the call is over.
func (o *Outbound) End(ctx context.Context, out *Returned) {
	c, r := o.call, &out.Result
	r.Start, r.Duration, r.Flags = c.Start, time.Since(c.Start), Flags(c.Flags)
	e := o.reporter.to(c, o.Protocol, o.Secure)
	if r.Details != nil {
		o.endDetailed(ctx, e, out)
		return
	}
	e.Record(r)
}

// endDetailed is End where somebody reads the details.
func (o *Outbound) endDetailed(ctx context.Context, e *telemetry.Edge, out *Returned) {
	r := &out.Result
	if o.span.Recording() {
		r.Span = o.span.Context()
	}
	o.describe(r.Details)
	e.Record(r)
	o.reporter.telemetry.Log(ctx, e, r)
	o.span.Finish(e, r)
	*out = Returned{Result: telemetry.Result{Lane: r.Lane}}
}

// Mutual reports whether a connection of the mesh's own to the host that was picked
// is by mutual TLS, where nobody has looked at the connection itself.
func (o *Outbound) Mutual() bool {
	return o.reporter != nil && o.call.Host != nil && o.reporter.edgesTo(o.call).mutual
}

// Drop gives up a report without End: the call begins anew, and counts once.
func (o *Outbound) Drop() {
	if o.span.Recording() {
		o.span.Finish(o.reporter.to(o.call, o.Protocol, false), &telemetry.Result{GRPC: -1, Flags: Flags(o.call.Flags)})
	}
}

// Fork is the report of one more try that runs beside the others: its span is a
// child of the call's, which alone is ended.
func (o *Outbound) Fork() Outbound {
	return Outbound{Protocol: o.Protocol, reporter: o.reporter, span: o.span, name: o.name, carries: o.carries}
}

// Retrying implements engine.Witness.
func (o *Outbound) Retrying(wait time.Duration) {
	c := o.call
	o.span.Retry(c.Tries, c.Host.Address(), reason(&c.Outcome), wait)
}

// Ejected implements engine.Witness.
func (o *Outbound) Ejected(ev breaker.Event) {
	o.span.Ejection(o.call.Host.Address(), ev.Reason.String(), ev.Until)
}

// Injected implements engine.Witness.
func (o *Outbound) Injected(delay time.Duration, status int) { o.span.Fault(delay, status) }

// An Attempt is the span of one try. Nil: it has none.
type Attempt struct {
	span    telemetry.Span
	edge    *telemetry.Edge
	result  telemetry.Result
	details telemetry.Details
}

// Recording reports whether tries are recorded.
func (o *Outbound) Recording() bool { return o.span.Recording() }

// Try begins the span of a try of c, if it is recorded. That is the call itself or,
// in a race, that of the one try: the call may be over before it begins.
func (o *Outbound) Try(ctx context.Context, c *engine.Call) (context.Context, *Attempt) {
	if o.span.Recording() {
		return o.try(ctx, c)
	}
	return ctx, nil
}

func (o *Outbound) try(ctx context.Context, c *engine.Call) (context.Context, *Attempt) {
	a := &Attempt{edge: o.reporter.to(c, o.Protocol, false), result: telemetry.Result{GRPC: -1}}
	ctx, a.span = o.span.Attempt(ctx, c.Tries, o.name)
	a.details = telemetry.Details{
		Method: c.Request.Method, Scheme: c.Request.Scheme, Host: c.Request.Authority, Path: c.Request.PathAndQuery(),
		Cluster: c.Cluster.Key.String(), UpstreamAddress: c.Host.Address(), Attempts: c.Tries,
	}
	return ctx, a
}

// Saw says what the try came to, as far as its headers tell.
func (a *Attempt) Saw(out *engine.Outcome) {
	if a != nil {
		a.saw(out)
	}
}

func (a *Attempt) saw(out *engine.Outcome) {
	a.result = telemetry.Result{Code: out.Status, GRPC: out.GRPCStatus, Flags: Flags(out.Flag), Details: &a.details}
	if out.Err != nil {
		a.details.CodeDetails = out.Err.Error()
	}
}

// Status says how a try of gRPC's came out in the end, which headers do not tell.
func (a *Attempt) Status(code int) {
	if a != nil {
		a.result.GRPC = code
	}
}

// End ends the span. What is called after the first time does nothing.
func (a *Attempt) End() {
	if a != nil && a.edge != nil {
		a.span.Finish(a.edge, &a.result)
		a.edge = nil
	}
}

// reason is why a try is not the last.
func reason(o *engine.Outcome) string {
	if o.Failure != retry.None {
		return o.Failure.String()
	}
	return status(o)
}
