package engine

import (
	"context"
	"errors"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/retry"
)

// An Outcome is what a try came to, classified once by the Wire that sent it.
// Circuit, balancer, retry policy and observers all read it.
type Outcome struct {
	retry.Try
	Err  error // why there is no answer; nil if there is one
	Flag Flag
	// NotGRPC says that the request was none of gRPC's: a GRPCStatus in its answer is
	// for retry conditions alone.
	NotGRPC bool
	// InLine says that the try ended while it waited for one of the cluster's
	// connections to be free: it has not got to its host.
	InLine bool
}

// Failed is the outcome of a try without an answer.
func Failed(failure retry.Failure, err error) Outcome {
	return Outcome{Try: retry.Try{Failure: failure, GRPCStatus: -1}, Err: err, Flag: failureFlags[failure]}
}

var failureFlags = [...]Flag{
	retry.None:             0,
	retry.ConnectFailure:   ConnectFailure,
	retry.RefusedStream:    RemoteReset,
	retry.Reset:            ConnectionEnd,
	retry.PerTryTimeout:    Timeout,
	retry.Overflow:         Overflow,
	retry.NoHealthy:        NoHealthyHost,
	retry.Canceled:         CallerGone,
	retry.DeadlineExceeded: Timeout,
}

// Ended is the outcome of a call whose context is over. Its caller may have
// given any cause; whether time was up says the context's error alone.
func Ended(ctx context.Context) Outcome {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return Failed(retry.DeadlineExceeded, context.Cause(ctx))
	}
	return Failed(retry.Canceled, context.Cause(ctx))
}

// lateness bounds how long after its deadline a context may end.
const lateness = time.Second

// Overdue is Ended for a context whose deadline has passed, which may notice it a
// moment after whoever goes by the same time, such as a dialler. It is waited for:
// nobody else knows the cause that its caller has given.
func Overdue(ctx context.Context) (o Outcome, over bool) {
	if at, ok := ctx.Deadline(); !ok || time.Now().Before(at) {
		return o, false
	}
	timer := time.NewTimer(lateness)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return Ended(ctx), true
	case <-timer.C:
		return Failed(retry.DeadlineExceeded, context.DeadlineExceeded), true
	}
}

// circuit is what the outcome tells the host's circuit. A caller's own deadline
// counts as the host's failure: in a process it is how most callers say that an
// answer took too long. A cancellation says nothing of the host, nor does a wait in
// line.
func (o *Outcome) circuit() breaker.Outcome {
	if o.InLine {
		return breaker.Ignored
	}
	switch o.Failure {
	case retry.None:
		return breaker.OutcomeOf(o.status())
	case retry.Overflow, retry.NoHealthy, retry.Canceled:
		return breaker.Ignored
	}
	return breaker.LocalFailure
}

// status is the HTTP status that outlier detection sees: for a gRPC status that
// came in the headers its HTTP equivalent.
func (o *Outcome) status() int {
	if o.GRPCStatus > 0 && o.GRPCStatus < len(grpcToHTTP) && !o.NotGRPC {
		return int(grpcToHTTP[o.GRPCStatus])
	}
	return o.Status
}

// grpcToHTTP is Envoy's Grpc::Utility::grpcToHttpStatus.
var grpcToHTTP = [...]uint16{200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401}

// GRPCStatus is the code that stands for an HTTP status: Envoy's
// Grpc::Utility::httpToGrpcStatus.
func GRPCStatus(http int) int {
	switch http {
	case 400:
		return 13 // INTERNAL
	case 401:
		return 16 // UNAUTHENTICATED
	case 403:
		return 7 // PERMISSION_DENIED
	case 404:
		return 12 // UNIMPLEMENTED
	case 429, 502, 503, 504:
		return 14 // UNAVAILABLE
	}
	return 2 // UNKNOWN
}
