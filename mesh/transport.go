package mesh

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/retry"
)

// A Transport is an http.RoundTripper that sends requests through the mesh.
// Mesh.Transport makes it. It keeps the whole RoundTripper contract: the
// caller's request is not changed, its body is closed on every path, and an
// answer from upstream is returned as it came. What the mesh itself refuses is
// an *Error. It is safe for concurrent use.
type Transport struct {
	mesh *Mesh
	pass http.RoundTripper // for hosts that are not the mesh's
	own  *wires            // nil: base carries everything
	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL == nil || r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return t.pass.RoundTrip(r) // which knows other schemes, and what to say of a missing URL
	}
	x, returned := newExchange(t, r), false
	defer func() {
		if !returned { // whoever panics on the way, a base or a hook of the observer: the request has ended
			x.panicked()
		}
	}()
	resp, ours, err := x.roundTrip()
	if returned = true; !ours {
		return t.passOn(r)
	}
	return resp, err
}

// roundTrip is the journey. Afterwards the exchange is nobody's, or the answer's.
func (x *exchange) roundTrip() (resp *http.Response, ours bool, err error) {
	ctx, e := x.in.Context(), x.t.mesh.engine
	if ours, err = e.Route(ctx, &x.call); !ours {
		x.free()
		return nil, false, nil
	}
	ctx = x.reported(ctx)
	if err == nil {
		err = e.Do(ctx, &x.call, x)
	}
	if err != nil {
		refused := newError(&x.call, err)
		x.abandon(refused.seen())
		return nil, true, refused
	}
	if x.call.Local != nil {
		resp = x.local()
		x.keepLocal(resp)
		x.abandon(resp.StatusCode)
		return resp, true, nil
	}
	return x.respond(), true, nil
}

// CloseIdleConnections closes the connections that carry no request;
// http.Client.CloseIdleConnections calls it.
func (t *Transport) CloseIdleConnections() {
	if t.own != nil {
		t.own.closeIdle()
	}
	if c, ok := t.pass.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// retire closes them, and those of requests under way when these have ended.
func (t *Transport) retire() {
	if t.own != nil {
		t.own.retire()
	}
	t.CloseIdleConnections()
}

// abandon ends an exchange without an answer from upstream, which counts as one of
// this status: it closes the caller's body and whatever a try has left.
func (x *exchange) abandon(status int) {
	x.held.end()
	x.sendCopies()
	x.closeBodies()
	x.tell(status)
	x.free()
}

// closeBodies closes those of the request.
func (x *exchange) closeBodies() {
	if x.next != nil {
		_ = x.next.Close()
	}
	switch {
	case x.body != nil:
		_ = x.body.Close()
	case x.in.Body != nil:
		_ = x.in.Body.Close()
	}
}

// panicked gives back what the exchange holds. It is not used again: who has
// panicked may not have let go of it.
func (x *exchange) panicked() {
	x.held.end()
	x.call.Abort()
	x.call.Outcome = engine.Failed(retry.Reset, errPanicked)
	x.call.Flags |= x.call.Outcome.Flag
	if x.resp != nil && x.resp.Body != nil {
		_ = x.resp.Body.Close()
	}
	x.closeBodies()
	x.tell(http.StatusServiceUnavailable)
}

var errPanicked = errors.New("it has panicked")

// local is the answer that a rule gives: a redirect, a direct response, an
// injected abort.
func (x *exchange) local() *http.Response {
	l := x.call.Local
	h, status, body := said(l)
	v := x.call.Values(spoken(x.in.Proto))
	v.Status = status
	l.Headers.ApplyToResponse(h, v)
	resp := &http.Response{
		Status:        strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        h,
		Body:          http.NoBody,
		ContentLength: int64(len(body)),
		Request:       x.in,
	}
	if len(body) > 0 && x.in.Method != http.MethodHead {
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	return resp
}

// said is what a rule's answer says, before the rule changes headers. Some statuses
// have no content (RFC 9110 §6.4.1).
func said(l *engine.Local) (h http.Header, status int, body []byte) {
	h, status, body = http.Header{}, l.Status, l.Body
	if l.Location != "" {
		h["Location"] = []string{l.Location}
	}
	if status == http.StatusNoContent || status == http.StatusNotModified {
		body = nil
	}
	if len(body) > 0 {
		h["Content-Type"] = []string{"text/plain"}
	}
	if l.GRPC >= 0 { // a trailers-only answer
		status, body = http.StatusOK, nil
		h["Content-Type"] = []string{"application/grpc"}
		h["Grpc-Status"] = []string{strconv.Itoa(l.GRPC)}
	}
	return h, status, body
}

// keepsBody reports whether a try may be repeated after the body has been sent.
func (t *Transport) keepsBody(c *engine.Call) bool {
	return c.Route.Retry.Attempts > 0 || len(c.Route.Mirrors) > 0
}
