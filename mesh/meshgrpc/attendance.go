package meshgrpc

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/inside"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// An attendance is one call that is served, as it is told of.
type attendance struct {
	report  report.Inbound
	ctx     context.Context // the caller's
	method  string
	md      metadata.MD // as it came
	in      inside.Inbound
	visit   *guard.Visit
	caller  string // address
	refusal *guard.Refusal
	ended   bool

	cargo report.Stream
}

// begin returns the context of the handler.
func (a *attendance) begin(ctx context.Context, s *server, method string) context.Context {
	a.ctx, a.method = ctx, method
	a.md, _ = metadata.FromIncomingContext(ctx)
	return a.report.Begin(ctx, s.mesh.Reporter, s.mesh.Now(), telemetry.Carrier{Header: a.md, Lower: true}, spanName(method))
}

// panicked tells of a call whose handler has not returned. What its caller is told,
// who recovers will say: of those that gRPC has, the code is the one for what is not
// known.
func (a *attendance) panicked() {
	if !a.ended {
		a.end(errPanicked)
	}
}

var errPanicked = status.Error(codes.Unknown, "it has panicked")

// end tells that the call has come to err.
func (a *attendance) end(err error) {
	a.ended = true
	code := int(answeredWith(err))
	a.in.Over(a.refusal, code, errors.Is(a.ctx.Err(), context.Canceled))
	if !a.report.Begun() {
		return
	}
	s := a.report.Outcome()
	a.name(s)
	r := &s.Result
	r.Code, r.GRPC, r.Flags = 200, code, report.Refused(a.refusal)
	if errors.Is(a.ctx.Err(), context.Canceled) {
		r.Code, r.Flags = 0, r.Flags|telemetry.DownstreamGone
	}
	a.cargo.Conclude(r)
	if d := a.report.Wanted(s); d != nil {
		a.describe(d)
	}
	a.report.End(a.ctx, s)
}

// name says who calls.
func (a *attendance) name(s *report.Served) {
	s.Protocol, s.Peer = telemetry.GRPC, a.visit.Peer
	if v := a.md[metadataHeader]; len(v) > 0 {
		s.Metadata = v[0]
	}
}

// follow begins to tell of the messages of a stream that was let in.
func (a *attendance) follow() {
	if !a.report.Begun() {
		return
	}
	var by report.Served
	a.name(&by)
	a.report.Follow(&a.cargo, &by)
}

// answeredWith is the code that gRPC's server makes of a handler's error: what a
// context says of its end has a code of its own there.
func answeredWith(err error) codes.Code {
	if s, ok := status.FromError(err); ok {
		return s.Code()
	}
	return status.FromContextError(err).Code()
}

func (a *attendance) describe(d *telemetry.Details) {
	v := a.visit
	d.Method, d.Scheme, d.Host, d.Path, d.Protocol = v.Method, v.Scheme, v.Host, a.method, protocol
	d.RequestHeader, d.SourceAddress, d.ServerName, d.CodeDetails = spelt(a.md), a.caller, v.SNI, "via_upstream"
	if a.refusal != nil {
		d.CodeDetails = a.refusal.Details
	}
}
