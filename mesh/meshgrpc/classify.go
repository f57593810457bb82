package meshgrpc

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/retry"
)

// codeOf is the code of any error; OK for nil.
func codeOf(err error) codes.Code { return status.Code(err) }

// outcome classifies a try that has ended with err, or has an answer. What the
// server has said counts before what gRPC made of it.
func (r *rpc) outcome(t *try, err error) engine.Outcome {
	seen, trailer, connect := t.sight()
	switch {
	case err == nil || seen.has(sawHeader) && seen.has(sawTrailer):
		return answered(-1)
	case seen.has(sawTrailer) && !r.timeUp(t, err):
		return r.refusedBy(trailer, err)
	}
	if o, ended := r.ended(t, err); ended {
		return o
	}
	switch {
	case seen.has(sawHeader):
		r.broken = brokeOff(err)
		return answered(-1)
	case connect != nil && !seen.has(sawRequest):
		return unconnected(connect)
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

// timeUp: the server knows the deadline too, and may be the first to say so.
func (r *rpc) timeUp(t *try, err error) bool {
	if codeOf(err) != codes.DeadlineExceeded {
		return false
	}
	deadline, ok := t.Deadline()
	return ok && !time.Now().Before(deadline)
}

// ended is the outcome of a try whose time is up, or whose caller has gone.
func (r *rpc) ended(t *try, err error) (engine.Outcome, bool) {
	deadline, limited := r.ctx.Deadline()
	switch {
	case r.ctx.Err() != nil:
		return engine.Ended(r.ctx), true
	case limited && !time.Now().Before(deadline):
		return engine.Failed(retry.DeadlineExceeded, context.DeadlineExceeded), true
	case t.Err() == nil && !r.timeUp(t, err):
		return engine.Outcome{}, false
	}
	if r.perTry {
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

// unanswered classifies a try of which nothing has been heard.
func (r *rpc) unanswered(seen sight, err error) engine.Outcome {
	code := codeOf(err)
	switch {
	case seen.has(r.sends) && httpStatus(code) != 0: // an answer that was not gRPC's
		return engine.Outcome{Try: retry.Try{Status: httpStatus(code), GRPCStatus: -1}}
	case seen.has(r.sends) || code == codes.Unavailable && seen != 0:
		o := engine.Failed(retry.Reset, err)
		o.Unsent = !seen.has(sawRequest)
		return o
	}
	r.local = err // a message that cannot be sent, credentials that cannot be had
	return engine.Failed(retry.Canceled, err)
}

// httpStatus is the status for which gRPC has a code of its own, when the server,
// or a proxy before it, answers in HTTP; 0 for other codes.
// https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
func httpStatus(code codes.Code) int {
	switch code {
	case codes.Unauthenticated:
		return 401
	case codes.PermissionDenied:
		return 403
	case codes.Unimplemented:
		return 404
	}
	return 0
}

// brokeOff is how an answer ended without a status. Where the connection is
// lost, its host is to blame; a message that is too large is nobody's fault.
func brokeOff(err error) engine.Outcome {
	if codeOf(err) == codes.Unavailable {
		return engine.Failed(retry.Reset, err)
	}
	return engine.Outcome{}
}
