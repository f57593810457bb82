package meshgrpc

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/retry"
)

// codeOf is the code of any error; OK for nil.
func codeOf(err error) codes.Code { return status.Code(err) }

// outcome classifies a try that has ended with err, or has an answer. What the
// server has said counts before what gRPC made of it.
func (r *rpc) outcome(t *try, err error) engine.Outcome {
	if err == nil {
		return answered(-1)
	}
	seen := t.sight()
	switch {
	case trailersOnly(seen.trailer) && !r.cutShort(t, err):
		return r.refusedBy(seen.trailer, err)
	}
	if o, ended := r.ended(t, err); ended {
		return o
	}
	switch {
	case seen.connect != nil:
		return unconnected(seen.connect)
	case seen.received:
		return r.halfAnswered(t, seen, err)
	}
	return r.unanswered(seen, err)
}

// answered is an answer whose headers had this status, or none (-1).
func answered(code int) engine.Outcome {
	return engine.Outcome{Try: retry.Try{Status: 200, GRPCStatus: code}}
}

// refusedBy is an answer of headers alone (Trailers-Only): upstream's refusal.
func (r *rpc) refusedBy(trailer metadata.MD, err error) engine.Outcome {
	o := answered(int(codeOf(err)))
	o.RateLimited = len(trailer["x-envoy-ratelimited"]) > 0
	wait, again := pushback(trailer)
	o.RetryAfter = wait
	r.call.Replayable = r.call.Replayable && again
	return o
}

// pushback is what the server says of another try, in gRFC A6: "If the value for
// pushback is negative or unparseble, then it will be seen as the server asking
// the client not to retry at all."
func pushback(trailer metadata.MD) (wait time.Duration, again bool) {
	values := trailer["grpc-retry-pushback-ms"]
	if len(values) == 0 {
		return 0, true
	}
	ms, err := strconv.ParseInt(values[0], 10, 32)
	if err != nil || ms < 0 || len(values) > 1 {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}

// cutShort: the try was over on this side, of which the server may have heard, or gRPC
// has put its own words in the place of the server's.
func (r *rpc) cutShort(t *try, err error) bool {
	code := codeOf(err)
	return (code == codes.Canceled || code == codes.DeadlineExceeded) && t.Err() != nil || r.timeUp(t, err)
}

// timeUp: the server knows the deadline too, and may be the first to say so.
func (r *rpc) timeUp(t *try, err error) bool {
	if codeOf(err) != codes.DeadlineExceeded {
		return false
	}
	deadline, ok := t.until()
	return ok && !time.Now().Before(deadline)
}

// ended is the outcome of a try whose time is up, or whose caller has gone.
func (r *rpc) ended(t *try, err error) (engine.Outcome, bool) {
	if r.ctx.Err() != nil {
		return engine.Ended(r.ctx), true
	}
	if o, over := engine.Overdue(r.ctx); over {
		return o, true
	}
	switch {
	case t.Err() == nil && !r.timeUp(t, err):
		return engine.Outcome{}, false
	case r.perTry:
		return engine.Failed(retry.PerTryTimeout, context.DeadlineExceeded), true
	}
	return engine.Failed(retry.DeadlineExceeded, context.DeadlineExceeded), true
}

func unconnected(err error) engine.Outcome {
	if errors.Is(err, breaker.ErrOverflow) {
		return engine.Failed(retry.Overflow, err)
	}
	return engine.Failed(retry.ConnectFailure, err)
}

// halfAnswered classifies a try whose answer came in headers and trailers, or
// broke off, or was not gRPC's. To tell the first from the last costs each call
// something. So it is taken for the first, and calls ask from now on, for a while.
func (r *rpc) halfAnswered(t *try, seen sight, err error) engine.Outcome {
	switch {
	case seen.lost && codeOf(err) == codes.Unavailable && t.asks && t.header == nil:
		return r.unanswered(seen, err) // what came was no answer yet
	case seen.lost && codeOf(err) == codes.Unavailable:
		r.broken = engine.Failed(retry.Reset, err)
	case t.asks && t.header == nil:
		return engine.Outcome{Try: retry.Try{Status: httpStatus(codeOf(err)), GRPCStatus: -1}}
	case !t.asks:
		r.client.doubt.Store(time.Now().Add(doubtful).UnixNano())
	}
	return answered(-1)
}

// doubtful is for how long calls ask for headers after one that was in doubt.
const doubtful = time.Minute

func (c *client) doubts(now time.Time) bool {
	until := c.doubt.Load()
	return until != 0 && now.UnixNano() < until
}

// unanswered classifies a try of which nothing has been heard. A connection of the
// caller's own, as one within the process, may have had an answer all the same.
func (r *rpc) unanswered(seen sight, err error) engine.Outcome {
	broken := codeOf(err) == codes.Unavailable
	switch {
	case !seen.picked, !broken && (!seen.sent || !r.sendable()):
		r.local = err // a message that cannot be sent, credentials that cannot be had
		return engine.Failed(retry.Canceled, err)
	case !broken && r.wrapped():
		return answered(-1)
	}
	if !seen.sent { // as a stream above the last one of GOAWAY, the connection has left it out
		o := engine.Failed(retry.RefusedStream, err)
		o.Unsent = true
		return o
	}
	return engine.Failed(retry.Reset, err)
}

// httpStatus is the status of an answer that was not gRPC's, by the code that gRPC
// gives it.
// https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
func httpStatus(code codes.Code) int {
	switch code {
	case codes.Internal:
		return 400
	case codes.Unauthenticated:
		return 401
	case codes.PermissionDenied:
		return 403
	case codes.Unimplemented:
		return 404
	case codes.Unavailable: // 429, 502, 503 or 504
		return 503
	}
	return 500
}

// sendable reports whether a message can be sent at all: gRPC says it after it has
// made a stream, as it says what befalls streams. What streams cannot send, their
// outbox knows.
func (r *rpc) sendable() bool {
	if r.message == nil {
		return true
	}
	m, ok := r.message.(proto.Message)
	if !ok {
		return false
	}
	text, err := proto.Marshal(m)
	return err == nil && len(text) <= r.opts.most
}
