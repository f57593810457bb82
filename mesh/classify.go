package mesh

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/h2"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/retry"
)

// answered classifies a try that has an answer. As in Envoy, a status of gRPC's counts
// where the request is one of gRPC's, and some retry conditions look for one anyhow.
func (x *exchange) answered(c *engine.Call, resp *http.Response) {
	o := &c.Outcome
	*o = engine.Outcome{Try: retry.Try{Status: resp.StatusCode, GRPCStatus: -1}}
	if grpc := protocolOf(x.in.Method, x.in.Header) == telemetry.GRPC; grpc || c.Route.Retry.On.GRPC() {
		o.GRPCStatus, o.NotGRPC = grpcStatusIn(resp.Header, "Grpc-Status"), !grpc
	}
	if resp.StatusCode >= http.StatusBadRequest || o.GRPCStatus > 0 { // what else would say that it is too much
		o.RateLimited = len(resp.Header["X-Envoy-Ratelimited"]) > 0
		if v := resp.Header["Retry-After"]; len(v) > 0 {
			o.RetryAfter, _ = retry.ParseRetryAfter(v[0], time.Now())
		}
	}
}

// failed classifies a try without an answer.
func (x *exchange) failed(ctx context.Context, c *engine.Call, err error) engine.Outcome {
	o := x.failure(ctx, c, err)
	_, o.InLine = err.(*lineError)
	o.Unsent = o.InLine
	return o
}

// failure: whose time was up decides first; what the transport says then is only
// what it noticed.
func (x *exchange) failure(ctx context.Context, c *engine.Call, err error) engine.Outcome {
	if o, ended := x.ended(ctx); ended {
		return o
	}
	switch {
	case x.held.limit.Expired():
		if _, perTry := c.TryDeadline(); perTry {
			return engine.Failed(retry.PerTryTimeout, context.DeadlineExceeded)
		}
		return engine.Failed(retry.DeadlineExceeded, context.DeadlineExceeded)
	case x.body.Err() != nil: // the caller's own reader broke
		return engine.Failed(retry.Canceled, x.body.Err())
	case x.trailsIll, x.misstated(), !sendable(&x.last.req), x.mayBeFrames() && !fitsFrames(&x.last.req):
		return engine.Failed(retry.Canceled, err)
	}
	return engine.Failed(failureOf(err), err)
}

// mayBeFrames reports whether the last try went by HTTP/2, as far as is known: what a
// base of the caller's own does over https is its business.
func (x *exchange) mayBeFrames() bool {
	return x.held.http2 || x.held.wire == nil && x.last.req.URL.Scheme == "https"
}

// brokeOff classifies an answer that ended before its end.
func (x *exchange) brokeOff(err error) engine.Outcome {
	if o, ended := x.ended(x.in.Context()); ended {
		return o
	}
	switch {
	case x.held.limit.Expired():
		return engine.Failed(retry.DeadlineExceeded, err)
	case x.body.Err() != nil: // the answer broke off because the request did
		return engine.Failed(retry.Canceled, x.body.Err())
	case x.misstated():
		return engine.Failed(retry.Canceled, err)
	}
	return engine.Failed(retry.Reset, err)
}

// misstated reports that the body has turned out to have another length than the
// request says, which ends a connection in the middle of a message.
func (x *exchange) misstated() bool {
	said := x.in.ContentLength
	taken, whole := x.body.Taken()
	return said > 0 && (taken > said || whole && taken < said)
}

// ended is the outcome of a request that its caller has ended, if it has.
// http.Client ends one that is out of time through Request.Cancel as well, which
// the transport may notice a moment before the context is over.
func (x *exchange) ended(ctx context.Context) (o engine.Outcome, ended bool) {
	if ctx.Err() != nil {
		return engine.Ended(ctx), true
	}
	if o, over := engine.Overdue(ctx); over {
		return o, true
	}
	select {
	case <-x.in.Cancel: //nolint:staticcheck // deprecated, still obeyed by net/http
		return engine.Failed(retry.Canceled, context.Canceled), true
	default:
		return o, false
	}
}

// failureOf tells the failures apart by type.
func failureOf(err error) retry.Failure {
	var connect *connectError
	var stream http2StreamError
	switch {
	case errors.Is(err, breaker.ErrOverflow):
		return retry.Overflow
	case errors.As(err, &connect):
		return retry.ConnectFailure
	case errors.As(err, &stream) && stream.Code == refusedStream, errors.Is(err, h2.ErrUnprocessed):
		return retry.RefusedStream
	}
	return retry.Reset
}

// http2StreamError has the shape of golang.org/x/net/http2.StreamError, into
// which net/http's own error of that kind converts itself for errors.As.
type http2StreamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

// Error makes it a target of errors.As.
func (e http2StreamError) Error() string { return "stream error " + strconv.Itoa(int(e.Code)) }

const refusedStream = 0x7 // RFC 9113 §7
