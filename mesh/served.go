package mesh

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/flight"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// A counter is what it takes to tell of a request that is served. It is kept for the
// next one.
type counter struct {
	served          *report.Served
	asked, answered headReader
	lane            *flight.Lane[inbound]
}

func (m *Mesh) counter() *counter {
	if c, ok := m.counters.Get().(*counter); ok {
		return c
	}
	return &counter{served: m.reporter.Served(), lane: m.visits.Lane()}
}

// reported begins the report of a request, and returns what its answer is to be
// written to.
func (in *inbound) reported(ctx context.Context, m *Mesh, w http.ResponseWriter, r *http.Request) (context.Context, http.ResponseWriter) {
	tapped := m.taps.listening() != nil
	switch {
	case m.reporter != nil:
		ctx = in.count(ctx, m, r)
		if in.report.Detailed() {
			tapped, in.answer.timed = true, true
		}
	case !tapped:
		return ctx, w
	}
	if tapped {
		in.asked.header = r.Header.Clone()
	}
	return ctx, in.answer.watch(w)
}

// count begins the report for telemetry.
func (in *inbound) count(ctx context.Context, m *Mesh, r *http.Request) context.Context {
	in.counter = m.counter()
	in.head = in.counter.asked.read(r.Header)
	in.asked.keep(r, in.head)
	headers := telemetry.Carrier{Header: r.Header, Untraced: in.head.bears&bearsTrace == 0}
	return in.report.Begin(ctx, m.reporter, in.start, headers, telemetry.SpanName(r.Method))
}

// lane is where the request is under way.
func (in *inbound) lane(m *Mesh) *flight.Lane[inbound] {
	if in.counter == nil {
		return m.visits.Any()
	}
	return in.counter.lane
}

// bears reports whether one of the names that are asked for may stand in the head.
func (in *inbound) bears(any bearing) bool { return !in.report.Begun() || in.head.bears&any != 0 }

// An asked is what is told of a request's head. It is looked at before the handler
// runs, which may be at it for longer than anybody waits: see http.TimeoutHandler.
type asked struct {
	protocol telemetry.Protocol
	size     int64
	metadata string
	header   http.Header  // nil: nobody reads it
	body     *countedBody // nil: it says how long it is
}

func (a *asked) sizeSoFar() int64 {
	if a.body == nil {
		return a.size
	}
	return a.size + a.body.read.Load()
}

// A countedBody is a request's that does not say how long it is.
type countedBody struct {
	io.ReadCloser
	read atomic.Int64 // bytes; the handler may have left a goroutine behind that reads on
}

// Read implements io.Reader.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Add(int64(n))
	return n, err
}

func (a *asked) keep(r *http.Request, about head) {
	a.protocol = protocolOf(r.Method, r.Header)
	a.size = about.size + firstLine(len(r.Method)+len(r.RequestURI)+len(r.Host)) + max(r.ContentLength, 0)
	if about.bears&bearsPeer != 0 {
		a.metadata = first(r.Header[telemetry.MetadataHeader])
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// tell ends the report of a request. r is as it came; returned says that the
// handler has, rather than panicked.
func (in *inbound) tell(m *Mesh, r *http.Request, refusal *guard.Refusal, returned bool) {
	if !in.report.Begun() {
		return
	}
	s, a := in.counter.served, &in.answer
	s.Protocol, s.Peer, s.Metadata = in.asked.protocol, in.visit.Peer, in.asked.metadata
	s.Result.Code, s.Result.Flags = in.seen(r, returned)
	s.Result.Flags |= report.Refused(refusal)
	s.Result.GRPC = -1
	if s.Protocol == telemetry.GRPC {
		s.Result.GRPC = max(grpcStatusIn(a.Header(), "Grpc-Status"), grpcStatusIn(a.Header(), http.TrailerPrefix+"Grpc-Status"))
	}
	s.Result.RequestBytes = in.asked.sizeSoFar()
	s.Result.ResponseBytes = in.counter.answered.read(a.Header()).size + firstLine(0) + a.written
	if d := in.report.Wanted(s); d != nil {
		in.describe(d, r, refusal)
	}
	in.report.Tell(in, s)
	m.counters.Put(in.counter)
	in.counter = nil
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
		Method: r.Method, Scheme: v.Scheme, Host: r.Host, Path: in.path, Protocol: spoken(r.Proto),
		RequestHeader: in.asked.header, ResponseHeader: in.answer.Header(),
		Cluster: "inbound|" + portText(v.Port) + "||", Route: "default", CodeDetails: "via_upstream",
		SourceAddress: r.RemoteAddr, ServerName: v.SNI,
		RequestHead: in.asked.size - max(r.ContentLength, 0), ResponseHead: in.counter.served.Result.ResponseBytes - in.answer.written,
		Upstream: time.Duration(in.answer.begun - in.start.UnixNano()), // if it has begun
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
		d.CodeDetails, d.Upstream = refusal.Details, 0
	}
}
