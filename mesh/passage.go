package mesh

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/retry"
)

// A passage is the answer to a request that is not the mesh's: it passes as it is,
// and telemetry counts it.
type passage struct {
	io.ReadCloser
	reporter *report.Reporter
	in       *http.Request // which its caller leaves as it is until the answer is over
	head     head          // of in
	body     *countedBody  // of in; nil: it says how long it is, or has none
	start    time.Time
	resp     *http.Response // nil: there is none
	answer   returned
	upgraded *upgradedPassage // nil: it is an answer
	grpc     int              // the status in the head; -1: none
	read     atomic.Int64     // bytes; a Close may come while a Read is under way
	ended    atomic.Bool
	closed   bool // by the caller, before the end of the answer was read
}

// passOn sends a request that is not the mesh's. It is not changed: nobody out
// there is told of a trace.
func (t *Transport) passOn(r *http.Request) (*http.Response, error) {
	if t.mesh.reporter == nil {
		return t.pass.RoundTrip(r)
	}
	p := &passage{reporter: t.mesh.reporter, in: r, head: headOf(r.Header), start: time.Now()}
	resp, err := p.send(t.pass)
	switch {
	case err != nil:
		p.failed(err)
		return resp, err
	case resp == nil: // which breaks the base's contract, as http.Client says
		return nil, nil
	}
	p.attach(resp)
	return resp, nil
}

// send returns what base does, or tells that it has panicked.
func (p *passage) send(base http.RoundTripper) (*http.Response, error) {
	returned := false
	defer func() {
		if !returned {
			p.failed(errPanicked)
		}
	}()
	sent := p.counting()
	resp, err := base.RoundTrip(sent)
	returned = true
	if resp != nil && resp.Request == sent {
		resp.Request = p.in
	}
	return resp, err
}

// counting is the request; where it does not say how long it is, one like it whose body
// is counted.
func (p *passage) counting() *http.Request {
	if p.in.ContentLength > 0 || p.in.Body == nil || p.in.Body == http.NoBody {
		return p.in
	}
	p.body = &countedBody{ReadCloser: p.in.Body}
	r := p.in.WithContext(p.in.Context())
	r.Body = p.body
	return r
}

// attach wraps the body of resp; what else it can do is kept.
func (p *passage) attach(resp *http.Response) {
	p.resp = resp
	p.answer.status, p.answer.size = resp.StatusCode, sizeOf(resp, headOf(resp.Header))
	if p.reporter.Wants() {
		p.answer.header, p.answer.after = resp.Header.Clone(), time.Since(p.start)
	}
	p.grpc = grpcStatusIn(resp.Header, "Grpc-Status")
	if resp.Body == http.NoBody || resp.Body == nil {
		p.over(nil)
		return
	}
	p.ReadCloser = resp.Body
	switch inner := resp.Body.(type) {
	case io.ReadWriteCloser:
		p.upgraded = &upgradedPassage{passage: p, upgraded: upgraded{Writer: inner}}
		resp.Body = p.upgraded
	case io.WriterTo:
		resp.Body = &writerToPassage{p, inner}
	default:
		resp.Body = p
	}
}

// Read passes on; the end of the body, good or bad, is the end of the answer.
func (p *passage) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	p.read.Add(int64(n))
	if err != nil {
		p.over(err)
	}
	return n, err
}

// Close passes on.
func (p *passage) Close() error {
	if !p.ended.Swap(true) {
		p.closed = true
		p.end(nil)
	}
	return p.ReadCloser.Close()
}

type upgradedPassage struct {
	*passage
	upgraded
}

type writerToPassage struct {
	*passage
	inner io.WriterTo
}

// WriteTo implements io.WriterTo. An error may be w's: it says nothing of the
// answer.
func (p *writerToPassage) WriteTo(w io.Writer) (int64, error) {
	n, err := p.inner.WriteTo(w)
	p.read.Add(n)
	p.over(nil)
	return n, err
}

// over tells how the answer ended, once.
func (p *passage) over(err error) {
	if !p.ended.Swap(true) {
		p.end(err)
	}
}

func (p *passage) end(err error) {
	result := p.result(p.answer.status)
	if err != nil && !errors.Is(err, io.EOF) {
		result.Flags = p.flags(err)
	}
	p.tell(result)
}

// failed tells of a request without an answer: of the status that a proxy would
// have given, as [Error.HTTPStatus] has it for the mesh's own.
func (p *passage) failed(err error) {
	flags := p.flags(err)
	result := p.result(http.StatusServiceUnavailable)
	switch flags {
	case telemetry.DownstreamGone:
		result.Code = 0
	case telemetry.UpstreamTimeout:
		result.Code = http.StatusGatewayTimeout
	}
	result.Flags = flags
	p.tell(result)
}

func (p *passage) flags(err error) telemetry.Flags {
	if ctx := p.in.Context(); ctx.Err() != nil {
		return report.Flags(engine.Ended(ctx).Flag)
	}
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return telemetry.DownstreamGone
	case errors.As(err, &op) && op.Op == "dial":
		return report.Flags(engine.Failed(retry.ConnectFailure, err).Flag)
	}
	return report.Flags(engine.Failed(failureOf(err), err).Flag)
}

func (p *passage) result(status int) telemetry.Result {
	r := telemetry.Result{
		Start: p.start, Duration: time.Since(p.start), Code: status, GRPC: -1,
		RequestBytes: p.requestHead() + max(p.in.ContentLength, 0),
	}
	if p.body != nil {
		r.RequestBytes += p.body.read.Load()
	}
	if p.resp == nil {
		return r
	}
	r.ResponseBytes = p.answer.size + p.read.Load()
	if p.upgraded != nil {
		r.RequestBytes += p.upgraded.written.Load()
	}
	if p.protocol() == telemetry.GRPC {
		r.GRPC = max(p.grpc, grpcStatusIn(p.trailer(), "Grpc-Status"))
	}
	return r
}

func (p *passage) requestHead() int64 {
	return p.head.size + firstLine(len(p.in.Method)+len(p.in.URL.RequestURI())+len(p.host()))
}

// trailer is as an exchange's.
func (p *passage) trailer() http.Header {
	if p.closed {
		return nil
	}
	return p.resp.Trailer
}

func (p *passage) protocol() telemetry.Protocol { return protocolOf(p.in.Method, p.in.Header) }

func (p *passage) host() string { return cmp.Or(p.in.Host, p.in.URL.Host) }

func (p *passage) tell(r telemetry.Result) {
	p.reporter.Pass(p.in.Context(), p.protocol(), p.host(), &r, p.describe)
}

func (p *passage) describe(d *telemetry.Details) {
	*d = telemetry.Details{
		Method: p.in.Method, Scheme: p.in.URL.Scheme, Host: p.host(), Path: p.in.URL.RequestURI(),
		Protocol: spoken(p.in.Proto), RequestHeader: p.in.Header, Cluster: telemetry.Passthrough, Attempts: 1,
		RequestHead: p.requestHead(),
	}
	if p.resp != nil {
		d.Protocol, d.ResponseHeader, d.ResponseTrailer = spoken(p.resp.Proto), p.answer.header, p.trailer()
		d.ResponseHead, d.Upstream = p.answer.size, p.answer.after
	}
}
