package mesh

import (
	"cmp"
	"context"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/deadline"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/internal/replay"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/retry"
)

// An exchange is one HTTP request on its journey: the engine's Wire. What the
// transport and the caller can hold on to, requests and response bodies, stands
// in its attempts; the exchange itself is nobody's but the mesh's, and is used
// again once it is over.
type exchange struct {
	report report.Outbound
	flight engine.Flight    // its place among those under way
	alarms *deadline.Alarms // of the deadlines of its tries
	waits  written          // the milliseconds that a try may take
	desk   *desk            // nil: none yet
	trip                    // the rest is of one request alone
}

// A trip is what an exchange knows of one request.
type trip struct {
	call     engine.Call
	t        *Transport
	in       *http.Request // the caller's; never changed
	body     *replay.Body
	next     io.ReadCloser // the body of the try that follows; nil: to be had
	last     *attempt
	held     hold // by the last try
	hop      hop  // of the last try
	resp     *http.Response
	answer   returned      // of resp, as its caller has got it
	upgraded *upgradedBody // of resp; nil: it is an answer
	head     head          // of in, if there is a report

	header    http.Header // what is sent: the caller's own map unless a rule writes to it
	host      string
	path      string         // escaped; "" keeps the caller's
	copies    []*plan.Mirror // that wait for the body to have been read
	ownHeader bool
	trailsIll bool // no transport can write the request's trailers
	closed    bool // by the caller, before the end of the answer was read
}

// free lets the exchange be used again. Nothing may refer to it any more.
func (x *exchange) free() {
	pool := &x.t.mesh.exchanges
	x.trip = trip{}
	x.report.Renew()
	pool.Put(x)
}

// The headers by which hops tell each other about a request; Envoy's names.
const (
	headerExpectedTimeout = "X-Envoy-Expected-Rq-Timeout-Ms"
	headerAttemptCount    = "X-Envoy-Attempt-Count"
	headerOriginalPath    = "X-Envoy-Original-Path"
)

// newExchange begins the journey of a request: it fills the call in from it.
func newExchange(t *Transport, r *http.Request) *exchange {
	x := t.mesh.exchanges.Get().(*exchange)
	x.t, x.in = t, r
	c := &x.call
	c.Flight = &x.flight
	c.Start = t.mesh.clock.now()
	c.Deadline, _ = r.Context().Deadline()
	q := &c.Request // field by field: a literal would be made elsewhere and copied
	q.Method, q.Scheme, q.Authority = r.Method, r.URL.Scheme, r.Host
	q.Path, q.RawQuery, q.Header = pathOf(r.URL), r.URL.RawQuery, r.Header
	if r.URL.Opaque != "" {
		q.Path, q.RawQuery = opaqueTarget(r.URL)
	}
	if q.Method == "" {
		q.Method = http.MethodGet
	}
	if q.Authority == "" {
		q.Authority = r.URL.Host
	}
	q.Origin = x
	x.host = q.Authority
	c.Idempotent = idempotent(r)
	return x
}

// RemoteAddress implements plan.Origin.
func (x *exchange) RemoteAddress() string { return remoteOf(x.in.Context()) }

// idempotent: by its method, or because its sender says so, by the headers that
// net/http knows too.
func idempotent(r *http.Request) bool {
	return retry.Idempotent(r.Method) || len(r.Header["Idempotency-Key"]) > 0 || len(r.Header["X-Idempotency-Key"]) > 0
}

// Prepare applies what the route and the destination change, once; every try and
// every mirror sends the result.
func (x *exchange) Prepare(c *engine.Call) {
	x.header = x.in.Header
	if x.t.keepsBody(c) {
		x.body = replay.New(x.in.Body, x.in.GetBody, x.in.ContentLength, x.t.mesh.config.ReplayLimit)
	} else {
		x.body = replay.New(x.in.Body, x.in.GetBody, x.in.ContentLength, 0)
	}
	c.Replayable = x.body.Replayable()
	x.trailsIll = !trailing(x.in.Trailer)
	if len(c.Destination.Request) > 0 {
		x.ownHeaders()
		c.Destination.Request.ApplyToRequest(x.header, c.Values(spoken(x.in.Proto)))
	}
	if c.Route.Rewrites() {
		x.ownHeaders()
		x.path = c.Route.Path(&c.Request, c.Target.PortOf(&c.Request, c.Target.Port))
		x.header[headerOriginalPath] = []string{c.Request.PathAndQuery()}
	}
	if c.Destination.RewritesAuthority() {
		x.host = cmp.Or(c.Destination.Authority(c.Values(spoken(x.in.Proto))), x.host)
	}
	if c.Cookie != nil {
		x.ownHeaders()
		x.header["Cookie"] = addCookie(x.header["Cookie"], c.Cookie, c.Key)
	}
}

// ownHeaders makes the header map the exchange's own before a rule writes to it.
func (x *exchange) ownHeaders() {
	if !x.ownHeader {
		x.header, x.ownHeader = maps.Clone(x.header), true
		if x.header == nil {
			x.header = http.Header{}
		}
	}
}

// upgrades reports a request whose connection becomes something else; it is
// never sent twice nor copied.
func upgrades(r *http.Request) bool {
	return r.Method == http.MethodConnect || len(r.Header["Upgrade"]) > 0
}

// Send implements engine.Wire.
func (x *exchange) Send(ctx context.Context, c *engine.Call) {
	if x.next == nil {
		if err := x.rewind(); err != nil {
			c.Outcome = engine.Failed(retry.Canceled, err)
			return
		}
	}
	if x.report.Recording() {
		ctx, x.held.report = x.report.Try(ctx, c)
	}
	x.last = x.newAttempt(ctx, c)
	resp, err := x.t.carry(x, c, x.request(ctx, x.last))
	if err == nil && x.held.limit != nil && !x.held.limit.Extend(x.readBy(c, resp)) { // too late to be read
		_ = resp.Body.Close()
		err = context.DeadlineExceeded
	}
	c.Replayable = c.Replayable && x.body.Replayable() // no longer, once more was sent than is kept
	if err != nil {
		c.Outcome = x.failed(ctx, c, err)
		x.held.report.Saw(&c.Outcome)
		x.held.end()
		return
	}
	x.resp = resp
	x.answered(c, resp)
	x.held.report.Saw(&c.Outcome)
}

// readBy is when an answer must have been read; zero: no rule says so. The caller's own
// deadline is for its context to see to, which may give it up. As in Envoy no timeout is
// for what a connection carries that has become something else.
func (x *exchange) readBy(c *engine.Call, resp *http.Response) time.Time {
	if resp.StatusCode == http.StatusSwitchingProtocols || x.in.Method == http.MethodConnect && resp.StatusCode < 300 {
		return time.Time{}
	}
	return c.Expires
}

// Again implements engine.Wire. It takes the body from the transport, which may
// still be sending it, before the answer is given up. What the try holds is the
// drain's to give back.
func (x *exchange) Again(*engine.Call) bool {
	if upgrades(x.in) || x.rewind() != nil {
		return false
	}
	if x.resp != nil {
		x.held.report.End() // the next one begins
		x.t.mesh.engine.Background(drain(x.resp, x.held))
		x.resp = nil
	}
	x.last, x.held = nil, hold{secure: x.held.secure} // until another try says otherwise
	return true
}

// rewind takes the body from its first byte for the next try.
func (x *exchange) rewind() (err error) {
	x.next, err = x.body.Next()
	return err
}

// respond hands upstream's answer to the caller.
func (x *exchange) respond() *http.Response {
	c, resp := &x.call, x.resp
	x.body.Finish()
	resp.Request = x.in
	if len(c.Destination.Response) > 0 {
		v := c.Values(spoken(resp.Proto))
		v.Upstream, v.Status = c.Host.Address(), resp.StatusCode
		if c.Destination.Response.Asks() {
			v.Request = x.sent()
		}
		c.Destination.Response.ApplyToResponse(headerOf(resp), v)
	}
	if c.Cookie != nil {
		headerOf(resp).Add("Set-Cookie", setCookie(c.Cookie, c.Key))
	}
	x.keepAnswer(resp)
	x.last.body.attach(x, resp)
	return resp
}

// headerOf is an answer's, to be written to: a base may leave it out.
func headerOf(resp *http.Response) http.Header {
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	return resp.Header
}

// sent is the request as the rules have made it.
func (x *exchange) sent() *plan.Request {
	r := x.call.Request
	r.Header, r.Authority, r.Path = x.header, x.host, cmp.Or(x.path, r.Path)
	return &r
}

// over ends the exchange when the answer has been read or closed, or has broken
// off with err.
func (x *exchange) over(err error) {
	if err != nil {
		x.call.Broken(x.brokeOff(err))
	}
	x.held.end()
	x.sendCopies()
	x.call.Finish()
	x.tell(x.answer.status)
	x.free()
}
