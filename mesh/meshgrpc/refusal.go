package meshgrpc

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
)

// A refusal is a *mesh.Error to errors.As, and a status to gRPC.
type refusal struct {
	err  error // the *mesh.Error
	code codes.Code
}

// Error is what statuses look like.
func (r *refusal) Error() string { return r.GRPCStatus().String() }

// GRPCStatus makes status.FromError understand it.
func (r *refusal) GRPCStatus() *status.Status { return status.New(r.code, r.err.Error()) }

// Unwrap is the *mesh.Error.
func (r *refusal) Unwrap() error { return r.err }

// refused is what a caller is told of a call that the engine has ended. What
// failed on this side is told as gRPC does.
func (r *rpc) refused(err error) error {
	r.opts.clear()
	if r.local != nil {
		return r.local
	}
	e := r.client.mesh.Refused(&r.call, err)
	return &refusal{e, r.code(e)}
}

// code is the caller's own end, if it has come to that; else what Envoy answers
// gRPC with.
func (r *rpc) code(err error) codes.Code {
	if ended := r.ctx.Err(); ended != nil {
		return status.FromContextError(ended).Code()
	}
	var e *mesh.Error
	if !errors.As(err, &e) {
		return codes.Unknown
	}
	switch {
	case e.Reason == mesh.ErrCanceled:
		return codes.Canceled
	case e.Reason == mesh.ErrTimeout && r.outOfTime():
		return codes.DeadlineExceeded
	}
	return grpcCode(e.HTTPStatus())
}

// outOfTime reports whether the caller's own deadline has passed.
func (r *rpc) outOfTime() bool {
	deadline, ok := r.ctx.Deadline()
	return ok && !r.client.mesh.Now().Before(deadline)
}

func grpcCode(status int) codes.Code { return codes.Code(engine.GRPCStatus(status)) }

// answer is the rule's own answer, as a status.
func (r *rpc) answer() error {
	c := &r.call
	l := c.Local
	switch {
	case l.GRPC == int(codes.OK):
		return status.Error(codes.Internal, "the rule answers OK, without a message")
	case l.GRPC > 0:
		return status.Error(codes.Code(l.GRPC), string(l.Body))
	case l.Location != "":
		return status.Errorf(grpcCode(l.Status), "%s redirects to %s (%d), where gRPC does not follow", r.route(), l.Location, l.Status)
	case c.Flags&engine.FaultInjected != 0:
		return status.Error(grpcCode(l.Status), string(l.Body))
	}
	return status.Errorf(grpcCode(l.Status), "%s answers by itself (%d), which is no answer of gRPC's: %s", r.route(), l.Status, l.Body)
}

func (r *rpc) route() string {
	name := fmt.Sprintf("route %q", r.call.RouteName())
	if rule := r.call.Rule(); rule != nil {
		name += fmt.Sprintf(" of VirtualService %s/%s", rule.Namespace, rule.Name)
	}
	return name
}
