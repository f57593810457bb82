package meshgrpc

import (
	"context"
	"errors"
	"net/textproto"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// metadataHeader is telemetry.MetadataHeader as gRPC writes names.
const metadataHeader = "x-envoy-peer-metadata"

// reported begins the report of a call; the context is for the engine.
func (r *rpc) reported(ctx context.Context) context.Context {
	to := r.client.mesh.Reporter
	if to == nil {
		return ctx
	}
	r.report.Protocol = telemetry.GRPC
	headers := telemetry.Carrier{Header: r.call.Request.Header, Lower: true}
	return r.report.Begin(ctx, to, &r.call, headers, spanName(r.method))
}

// spanName is OpenTelemetry's for a method.
func spanName(method string) string { return strings.TrimPrefix(method, "/") }

// tells reports whether the next try has metadata for the sake of those who watch.
func (r *rpc) tells(ctx context.Context) bool {
	return r.report.Carries() != telemetry.CarriesNothing || r.introduces() || len(r.call.Request.Header[metadataHeader]) > 0
}

// introduces: only other workloads of the mesh are told who calls.
func (r *rpc) introduces() bool {
	return r.client.mesh.Introduction != nil && r.secure()
}

func (r *rpc) secure() bool { return !r.wrapped() && r.report.Mutual() }

// tell writes what the server is told, and takes out what only this side was.
func (r *rpc) tell(ctx context.Context, md metadata.MD) {
	r.report.Inject(ctx, r.about, telemetry.Carrier{Header: md, Lower: true})
	delete(md, metadataHeader)
	if r.introduces() {
		md[metadataHeader] = r.client.mesh.Introduction
	}
}

// tellEnd ends the report of a call that has come to err.
func (x *unaryCall) tellEnd(err error) {
	if !x.report.Begun() || x.counted {
		return
	}
	r := x.returned
	r.RequestBytes, r.RequestMessages = max(sizeOf(x.message), 0), 1
	r.ResponseBytes, r.ResponseMessages = 0, 0 // it is kept from call to call
	if err == nil {
		r.ResponseBytes, r.ResponseMessages = max(sizeOf(x.reply), 0), 1
	}
	x.rpc.tellEnd(err, r)
}

// tellEnd ends the report of a stream.
func (s *stream) tellEnd(err error) {
	s.about.Status(int(codeOf(err)))
	s.about.End()
	if !s.report.Begun() || s.counted {
		return
	}
	r := new(report.Returned)
	s.cargo.Conclude(&r.Result)
	if err == nil && s.sole != nil { // RecvMsg has yet to return with it
		r.ResponseMessages, r.ResponseBytes = 1, max(sizeOf(s.sole), 0)
	}
	s.rpc.tellEnd(err, r)
}

// tellEnd: to HTTP, an answer of gRPC's is a good one, whatever its status.
func (r *rpc) tellEnd(err error, out *report.Returned) {
	r.counted = true
	out.Code, out.GRPC = 200, int(codeOf(err))
	if err != nil && canceled(err) {
		out.Code = 0 // the caller was gone
	}
	r.report.Secure = r.secure()
	if d := r.report.Wanted(out); d != nil {
		r.describe(d)
	}
	r.report.End(r.ctx, out)
}

func canceled(err error) bool {
	var refused *mesh.Error
	return errors.As(err, &refused) && refused.Reason == mesh.ErrCanceled
}

func (r *rpc) describe(d *telemetry.Details) {
	d.Host, d.Path, d.Protocol = r.service, r.path, protocol
	if r.path != r.method {
		d.OriginalPath = r.method
	}
	d.RequestHeader, d.Upstream = spelt(r.call.Request.Header), r.after
}

// keepTime keeps how long upstream took to answer the try that has just come to
// something.
func (r *rpc) keepTime() {
	if r.after = 0; r.report.Begun() && r.report.Detailed() && r.call.Outcome.Err == nil {
		r.after = r.call.Now().Sub(r.call.Sent())
	}
}

// spelt is metadata with names as HTTP/1.1 writes them, by which logs ask.
func spelt(md map[string][]string) map[string][]string {
	out := make(map[string][]string, len(md))
	for name, values := range md {
		out[textproto.CanonicalMIMEHeaderKey(name)] = values
	}
	return out
}

// load adds a message to what has gone one way.
func load(to *report.Freight, m any) { to.Add(max(sizeOf(m), 0)) }

// follow begins to tell of the messages of a stream that has its answer.
func (s *stream) follow() {
	s.report.Secure = s.secure()
	s.report.Follow(&s.cargo)
}
