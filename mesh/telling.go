package mesh

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// A desk is what an exchange needs to tell what became of it. It is kept for the
// next one.
type desk struct {
	returned        report.Returned
	asked, answered headReader
}

// reported begins the report of an exchange; the context is for the engine.
func (x *exchange) reported(ctx context.Context) context.Context {
	if r := x.t.mesh.reporter; r != nil {
		return x.beginReport(ctx, r)
	}
	return ctx
}

func (x *exchange) beginReport(ctx context.Context, r *report.Reporter) context.Context {
	if x.desk == nil {
		x.desk = &desk{returned: r.Returned()}
	}
	x.head = x.desk.asked.read(x.in.Header)
	x.report.Protocol = protocolOf(x.in.Method, x.in.Header)
	headers := telemetry.Carrier{Header: x.in.Header, Untraced: x.head.bears&bearsTrace == 0}
	return x.report.Begin(ctx, r, &x.call, headers, telemetry.SpanName(x.call.Request.Method))
}

// tell ends the report; status is what the caller has seen.
func (x *exchange) tell(status int) {
	if x.report.Begun() {
		x.endReport(status)
	}
}

func (x *exchange) endReport(status int) {
	o, r := &x.report, &x.desk.returned
	r.Code, r.GRPC = status, x.grpcStatus()
	r.RequestBytes, r.ResponseBytes = x.requestSize(), x.responseSize()
	o.Secure = x.held.secure
	if d := o.Wanted(r); d != nil {
		x.describe(d)
	}
	o.End(x.in.Context(), r)
}

// protocolOf is what Envoy calls a request: gRPC by its content type. It is always a
// POST, which spares the others the look.
func protocolOf(method string, h http.Header) telemetry.Protocol {
	if method == http.MethodPost && saysGRPC(h) {
		return telemetry.GRPC
	}
	return telemetry.HTTP
}

func saysGRPC(h http.Header) bool {
	v := h["Content-Type"]
	return len(v) > 0 && speaksGRPC(v[0])
}

// grpcStatus is -1 if there is none.
func (x *exchange) grpcStatus() int {
	if x.report.Protocol != telemetry.GRPC || x.resp == nil {
		return -1
	}
	return x.grpcAnswer()
}

// grpcAnswer stands in the headers, or in the trailer; -1: in neither.
func (x *exchange) grpcAnswer() int {
	if code := x.call.Outcome.GRPCStatus; code >= 0 {
		return code
	}
	return grpcStatusIn(x.trailer(), "Grpc-Status")
}

// trailer is the answer's, if its end has been read. A Read that is under way while
// the caller closes may be writing it.
func (x *exchange) trailer() http.Header {
	if x.closed {
		return nil
	}
	return x.resp.Trailer
}

func grpcStatusIn(h http.Header, name string) int {
	if v := h[name]; len(v) > 0 {
		if code, err := strconv.Atoi(v[0]); err == nil {
			return code
		}
	}
	return -1
}

// requestSize is about what went over the wire. Of headers that hops add nothing
// is counted.
func (x *exchange) requestSize() int64 {
	n := x.requestHead()
	switch {
	case x.in.ContentLength > 0:
		n += x.in.ContentLength
	case x.body != nil:
		taken, _ := x.body.Taken()
		n += taken
	}
	if x.upgraded != nil {
		n += x.upgraded.written.Load()
	}
	return n
}

func (x *exchange) requestHead() int64 {
	r := &x.call.Request
	return x.head.size + firstLine(len(r.Method)+len(r.Path)+len(r.RawQuery)+len(x.host))
}

// responseSize is 0 without an answer.
func (x *exchange) responseSize() int64 {
	n := x.answer.size + x.answer.body
	if x.resp != nil {
		n += x.last.body.read.Load()
	}
	return n
}

// A returned is what is told of an answer's head. From when the caller has it, the
// head is the caller's to change.
type returned struct {
	status int
	size   int64
	body   int64         // of a rule's own answer; of upstream's it is counted as it is read
	after  time.Duration // of the try; 0: nobody asks
	header http.Header   // nil: nobody reads it
}

// keepAnswer is called before the caller has it.
func (x *exchange) keepAnswer(resp *http.Response) {
	x.answer.status = resp.StatusCode
	if x.report.Begun() {
		x.keepHead(resp)
	}
}

func (x *exchange) keepHead(resp *http.Response) {
	x.answer.size = sizeOf(resp, x.desk.answered.read(resp.Header))
	if x.report.Detailed() {
		x.answer.header, x.answer.after = resp.Header.Clone(), x.call.Now().Sub(x.call.Sent())
	}
}

// keepLocal is keepAnswer of a rule's own.
func (x *exchange) keepLocal(resp *http.Response) {
	if !x.report.Begun() {
		return
	}
	x.answer.size = sizeOf(resp, headOf(resp.Header))
	if resp.Body != http.NoBody {
		x.answer.body = resp.ContentLength
	}
}

// sizeOf is an answer's without its body.
func sizeOf(resp *http.Response, about head) int64 { return about.size + firstLine(len(resp.Status)) }

// describe tells what the engine does not see.
func (x *exchange) describe(d *telemetry.Details) {
	d.Host, d.RequestHeader, d.Protocol = x.host, x.in.Header, "HTTP/1.1"
	d.Path, d.RequestHead = x.call.Request.PathAndQuery(), x.requestHead()
	if x.path != "" {
		d.OriginalPath, d.Path = d.Path, x.sent().PathAndQuery()
	}
	if x.resp != nil {
		d.Protocol, d.ResponseHeader, d.ResponseTrailer = spoken(x.resp.Proto), x.answer.header, x.trailer()
		d.Upstream = x.answer.after
	}
	d.ResponseHead = x.answer.size
}

// spoken is a protocol as Envoy calls it: what is HTTP/2.0 to net/http is HTTP/2.
func spoken(proto string) string {
	if strings.HasPrefix(proto, "HTTP/1.") {
		return proto
	}
	return strings.TrimSuffix(proto, ".0")
}
