package mesh

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/deadline"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// An attempt is one try's request and answer, as the transport and the caller see
// them. Each try has its own, for the transport may still read that of the one
// before, and none is used again, for a transport may look at a request after it
// has answered it.
type attempt struct {
	req  http.Request
	url  url.URL
	body responseBody
}

// A tracedAttempt is an attempt with room for the value of Traceparent.
type tracedAttempt struct {
	attempt
	trace telemetry.Room
}

// A timedAttempt is an attempt with a limit, in one allocation.
type timedAttempt struct {
	tracedAttempt
	limit deadline.Limit
	told  [1]string // the value of X-Envoy-Expected-Rq-Timeout-Ms
}

// A hold is what a try has taken and gives back at its end. It is apart from the
// attempt, which it would make larger, and handed on whole.
type hold struct {
	report *report.Attempt // nil: nobody reads it
	limit  *deadline.Limit // nil: the try may take as long as the caller's context lives
	race   func()          // ends the context of a try that ran against others; nil: it did not
	slot   *breaker.Gate   // in which the try has a place; nil: none
	stream func()          // gives back the place on an HTTP/2 connection; nil: none
	wire   *wire           // that carries it; nil: a base of the caller's own does
	host   *engine.Host    // to which, if there is a wire
	http2  bool            // it goes by HTTP/2
	secure bool            // … over mutual TLS
}

// newAttempt makes room for what the try needs: a limit only where the call's
// context does not end sooner by itself.
func (x *exchange) newAttempt(ctx context.Context, c *engine.Call) *attempt {
	h := &x.hop
	h.x, h.call = x, c
	h.deadline, _ = c.TryDeadline()
	switch {
	case !h.deadline.IsZero() && (endsBefore(h.deadline, ctx) || !c.Expires.IsZero() && relents(ctx)):
		t := new(timedAttempt)
		h.told, h.trace = &t.told, &t.trace
		x.held.limit = &t.limit
		t.limit.Begin(x.alarms, ctx, h.deadline)
		return &t.attempt
	case x.report.Carries() != telemetry.CarriesNothing:
		t := new(tracedAttempt)
		h.told, h.trace = nil, &t.trace
		return &t.attempt
	}
	h.told, h.trace = nil, nil
	return new(attempt)
}

func endsBefore(deadline time.Time, ctx context.Context) bool {
	own, ok := ctx.Deadline()
	return !ok || deadline.Before(own)
}

// end gives back what the try holds.
func (h *hold) end() {
	h.report.End()
	h.limit.Stop()
	if h.race != nil {
		h.race()
	}
	if h.stream != nil {
		h.stream()
		h.stream = nil
	}
	if h.slot != nil {
		h.slot.ReleaseSlot()
		h.slot = nil
	}
	if h.wire != nil {
		h.wire.carried(h.host)
	}
}

// request builds the request of a try: a shallow copy of the caller's. Who carries
// it addresses it to the host that was picked.
func (x *exchange) request(ctx context.Context, a *attempt) *http.Request {
	req := &a.req
	switch {
	case x.held.limit != nil:
		*req = *x.in.WithContext(x.held.limit) // a copy of a copy that stays on the stack
	case x.held.race != nil, x.held.report != nil:
		*req = *x.in.WithContext(ctx)
	default:
		*req = *x.in
	}
	a.url = *x.in.URL
	if x.path != "" {
		retarget(&a.url, x.path, x.call.Request.RawQuery)
	}
	req.URL, req.Host, req.Header = &a.url, x.host, x.header
	req.Body, x.next = x.next, nil
	return req
}
