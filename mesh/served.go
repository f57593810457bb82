package mesh

import (
	"cmp"
	"context"
	"crypto/tls"
	"net/http"
	"strconv"
	"strings"

	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// reported begins the report of a request, and returns what its answer is to be
// written to.
func (in *inbound) reported(ctx context.Context, m *Mesh, w http.ResponseWriter, r *http.Request) (context.Context, http.ResponseWriter) {
	tapped := m.taps.listening() != nil
	if m.reporter == nil && !tapped {
		return ctx, w
	}
	ctx = in.report.Begin(ctx, m.reporter, in.start, telemetry.Carrier{Header: r.Header}, telemetry.SpanName(r.Method))
	in.asked.keep(r, tapped || in.report.Begun() && in.report.Detailed())
	return ctx, in.answer.watch(w)
}

// An asked is what is told of a request's head. It is looked at before the handler
// runs, which may be at it for longer than anybody waits: see http.TimeoutHandler.
type asked struct {
	protocol telemetry.Protocol
	size     int64
	metadata string
	header   http.Header // nil: nobody reads it
}

func (a *asked) keep(r *http.Request, detailed bool) {
	about := headOf(r.Header)
	a.protocol = protocolOf(r.Method, r.Header)
	a.size = about.size + firstLine(len(r.Method)+len(r.RequestURI)+len(r.Host)) + max(r.ContentLength, 0)
	if v := r.Header[telemetry.MetadataHeader]; len(v) > 0 {
		a.metadata = v[0]
	}
	if detailed {
		a.header = r.Header.Clone()
	}
}

// tell ends the report of a request. r is as it came; returned says that the
// handler has, rather than panicked.
func (in *inbound) tell(r *http.Request, refusal *guard.Refusal, returned bool) {
	if !in.report.Begun() {
		return
	}
	s, a := in.report.Outcome(), &in.answer
	s.Protocol, s.Peer, s.Metadata = in.asked.protocol, in.visit.Peer, in.asked.metadata
	s.Result.Code, s.Result.Flags = in.seen(r, returned)
	s.Result.Flags |= report.Refused(refusal)
	s.Result.GRPC = -1
	if s.Protocol == telemetry.GRPC {
		s.Result.GRPC = max(grpcStatusIn(a.Header(), "Grpc-Status"), grpcStatusIn(a.Header(), http.TrailerPrefix+"Grpc-Status"))
	}
	s.Result.RequestBytes = in.asked.size
	s.Result.ResponseBytes = headOf(a.Header()).size + firstLine(0) + a.written
	if in.report.Detailed() {
		in.describe(&s.Details, r, refusal)
	}
	in.report.End(in, s)
}

// seen is the status that the caller has seen. One who has gone has seen none,
// unless it came before; nor has one whose connection ends for a handler has
// panicked, which Envoy counts as an upstream that ended it.
func (in *inbound) seen(r *http.Request, returned bool) (int, telemetry.Flags) {
	a := &in.answer
	switch {
	case a.hijacked:
		return cmp.Or(a.status, http.StatusSwitchingProtocols), 0
	case !returned:
		return cmp.Or(a.status, http.StatusServiceUnavailable), telemetry.UpstreamConnectionEnd
	case r.Context().Err() != nil:
		return a.status, telemetry.DownstreamGone
	}
	return cmp.Or(a.status, http.StatusOK), 0
}

// template is the path in a pattern of http.ServeMux: [METHOD ][HOST]/[PATH].
func template(pattern string) string {
	if i := strings.IndexByte(pattern, '/'); i >= 0 {
		return pattern[i:]
	}
	return ""
}

func portText(port uint16) string { return strconv.Itoa(int(port)) }

// tlsVersion is Envoy's way to write it.
func tlsVersion(v uint16) string { return "TLSv" + strings.TrimPrefix(tls.VersionName(v), "TLS ") }

func (in *inbound) describe(d *telemetry.Details, r *http.Request, refusal *guard.Refusal) {
	v := &in.visit
	*d = telemetry.Details{
		Method: r.Method, Scheme: v.Scheme, Host: r.Host, Path: in.path, Protocol: r.Proto,
		RequestHeader: in.asked.header, ResponseHeader: in.answer.Header(),
		Cluster: "inbound|" + portText(v.Port) + "||", Route: "default", CodeDetails: "via_upstream",
		SourceAddress: r.RemoteAddr, ServerName: v.SNI,
	}
	if r.URL.RawQuery != "" {
		d.Path += "?" + r.URL.RawQuery
	}
	if v.Destination.IsValid() {
		d.DestinationAddress = localOf(r).String()
	}
	if in.given != nil {
		d.Template = template(in.given.Pattern)
	}
	if r.TLS != nil {
		d.TLSVersion = tlsVersion(r.TLS.Version)
	}
	if refusal != nil {
		d.CodeDetails = refusal.Details
	}
}
