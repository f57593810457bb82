package mesh

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
)

// An attempt is one try's request, and what the try holds. Each try has its own,
// for the transport may still read that of the one before, and none is used
// again, for a transport may look at a request after it has answered it.
type attempt struct {
	req    http.Request
	url    url.URL
	body   responseBody
	limit  *limit        // nil: the try may take as long as the caller's context lives
	race   func()        // ends the context of a try that ran against others; nil: it did not
	slot   *breaker.Gate // in which the try has a place; nil: none
	stream func()        // gives back the place on an HTTP/2 connection; nil: none
	wire   *wire         // that carries it; nil: a base of the caller's own does

	report *report.Attempt // nil: nobody reads it
	secure bool            // it goes over mutual TLS
	trace  [1]string       // the value of Traceparent
}

// A timedAttempt is an attempt with a limit, in one allocation.
type timedAttempt struct {
	attempt
	own  limit
	told [1]string // the value of X-Envoy-Expected-Rq-Timeout-Ms
}

// newAttempt makes room for a limit only where the call's context does not end
// sooner by itself.
func (x *exchange) newAttempt(ctx context.Context, deadline time.Time) (a *attempt, told []string) {
	if deadline.IsZero() {
		return &attempt{race: x.race}, nil
	}
	if own, ok := ctx.Deadline(); ok && !deadline.Before(own) {
		return &attempt{race: x.race}, nil
	}
	t := &timedAttempt{attempt: attempt{race: x.race}}
	t.limit = &t.own
	t.limit.begin(x.alarms, ctx, deadline)
	return &t.attempt, t.told[:]
}

// end gives back what the try holds.
func (a *attempt) end() {
	a.report.End()
	a.limit.stop()
	if a.race != nil {
		a.race()
	}
	if a.stream != nil {
		a.stream()
		a.stream = nil
	}
	if a.slot != nil {
		a.slot.ReleaseSlot()
		a.slot = nil
	}
	if a.wire != nil && a.wire.retired.Load() {
		a.wire.windUp()
	}
}

// request builds the request of a try: a shallow copy of the caller's. Who carries
// it addresses it to the host that was picked.
func (a *attempt) request(ctx context.Context, c *engine.Call, x *exchange) *http.Request {
	req := &a.req
	switch {
	case a.limit != nil:
		*req = *x.in.WithContext(a.limit) // a copy of a copy that stays on the stack
	case a.race != nil, a.report != nil:
		*req = *x.in.WithContext(ctx)
	default:
		*req = *x.in
	}
	a.url = *x.in.URL
	if x.path != "" {
		a.url.Path, a.url.RawPath = unescape(x.path), x.path
	}
	req.URL, req.Host, req.Header = &a.url, x.host, x.header
	return req
}

func unescape(path string) string {
	if plain, err := url.PathUnescape(path); err == nil {
		return plain
	}
	return path
}
