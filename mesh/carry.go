package mesh

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/h1"
	"github.com/inmesh-go/inmesh/mesh/internal/h2"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// carry sends one try.
func (t *Transport) carry(x *exchange, c *engine.Call, r *http.Request) (*http.Response, error) {
	if t.own == nil {
		if x.hop.tells(r) {
			x.hop.stamp(r, &canonicalNames)
		}
		return t.overBase(c, &x.held, r)
	}
	held, hop := &x.held, &x.hop
	spec := c.Cluster.Spec()
	w := t.own.of(c.Cluster, spec)
	held.wire, held.host = w, c.Host
	l := t.own.lineTo(c.Host, c.Cluster, spec, r)
	r.URL.Host = l.Spelt
	secure := security(l.Security) != inClear
	held.secure = security(l.Security) == byIdentity
	http2, err := w.usesHTTP2(r, l, c.Sent())
	switch {
	case err != nil:
		return unsent(r, err)
	case http2:
		r.Header = forHTTP2(r.Header)
	case w.plain != nil && w.plain.Takes(r) && (!hop.tells(r) || hop.apart(r)):
		return held.overPlain(c.Cluster, w.plain, r, hop)
	}
	if hop.tells(r) {
		hop.stamp(r, hop.names(r, http2))
	}
	switch {
	case !http2 && w.plain != nil && w.plain.Takes(r):
		return held.overHTTP1(c.Cluster, w.plain, r)
	case unprintable(r.URL): // net/http would send it by HTTP/2, and the server end the connection, with all that share it
		return unsent(r, errUnprintable)
	case http2:
		if secure {
			r.URL.Scheme = "https"
		}
		return held.overHTTP2(w, r)
	}
	resp, err := held.overHTTP1(c.Cluster, w.h1, w.forTransport(r, secure))
	if err != nil && secure {
		w.doubt(r)
	}
	return resp, err
}

// doubt has it asked anew what is spoken where a request has failed: another server may
// stand there now.
func (w *wire) doubt(r *http.Request) {
	if r.Context().Err() == nil {
		w.speaks.Delete(r.URL.Host)
	}
}

// unsent closes the body of a try that no transport is given, as that would have.
func unsent(r *http.Request, err error) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return nil, err
}

// introduction is the value of the header; nil: nobody is told.
func (m *Mesh) introduction() []string {
	if m.metadata[0] == "" {
		return nil
	}
	return m.metadata[:]
}

// usesHTTP2: a caller who asks for https leaves the choice to ALPN, and HTTP/2 has no
// Upgrade (RFC 9113 §8.6).
func (w *wire) usesHTTP2(r *http.Request, l *engine.Line, now time.Time) (bool, error) {
	mode := w.spec.Connection.HTTP2
	switch {
	case r.URL.Scheme == "https":
		if l.Asked.HTTP1 || w.noHTTP2 {
			return false, nil
		}
		return w.speaksHTTP2(r.Context(), r.URL.Host, now)
	case mode == plan.HTTP2Auto || len(r.Header["Upgrade"]) > 0:
		return false, nil
	case mode == plan.HTTP2Only:
		return true, nil
	case mode == plan.HTTP2Client:
		return r.ProtoMajor == 2, nil
	case r.Method == http.MethodConnect:
		return false, nil
	}
	return w.speaksHTTP2(r.Context(), r.URL.Host, now)
}

// forHTTP2 leaves out what is about a connection of HTTP/1.1: "An intermediary
// transforming an HTTP/1.x message to HTTP/2 MUST remove connection-specific header
// fields" (RFC 9113 §8.2.2). The caller's end of the connection stays.
func forHTTP2(h http.Header) http.Header {
	if fitsHTTP2(h) {
		return h
	}
	said, welcome := h["Connection"], h["Te"]
	h = maps.Clone(h)
	for _, name := range []string{"Connection", "Transfer-Encoding", "Te"} {
		delete(h, name)
	}
	if h1.Lists(said, "close") {
		h["Connection"] = []string{"close"}
	}
	if h1.Lists(welcome, "trailers") { // all that TE may say there
		h["Te"] = []string{"trailers"}
	}
	return h
}

// fitsHTTP2 is false of what net/http would refuse to send in HTTP/2, and of what a
// server would to take.
func fitsHTTP2(h http.Header) bool {
	return only(h["Connection"], "close", "keep-alive") && only(h["Transfer-Encoding"], "chunked", "") && only(h["Te"], "trailers", "")
}

// only reports that the values are none, or one of the two, in any case.
func only(values []string, this, that string) bool {
	return len(values) == 0 || len(values) == 1 && (strings.EqualFold(values[0], this) || strings.EqualFold(values[0], that))
}

// forTransport readies a request for an http.Transport, which tells of a connection's
// TLS only for https. The caller never sees that scheme, nor does an HTTP/1.1 server.
func (w *wire) forTransport(r *http.Request, secure bool) *http.Request {
	if secure {
		r.URL.Scheme = "https"
	}
	if r.GetBody == nil {
		r.GetBody = unprocessed
	}
	if w.spec.Connection.MaxRequests > 0 || w.spec.Connection.MaxAge > 0 {
		r = w.dialer.traced(r)
	}
	return r
}

// unprocessed is the GetBody of a body that can be read once. net/http calls it when
// it would send the request again by itself, because nothing was written, or because
// its sender lets it be executed twice. It then forgets why; but that it asked says
// enough.
func unprocessed() (io.ReadCloser, error) { return nil, h2.ErrUnprocessed }

// overHTTP2 sends a request that shares its connection with others.
func (h *hold) overHTTP2(w *wire, r *http.Request) (resp *http.Response, err error) {
	h.http2 = true
	if r.Body == http.NoBody {
		r.Body = nil // else net/http starts a goroutine to close it
	}
	if resp, h.stream, err = w.h2.Send(r); err != nil {
		w.doubt(r)
	}
	return resp, err
}

// overHTTP1 sends a request that has a connection to itself while it is under
// way: with a limit on connections it waits in line for one. The attempt holds
// the place until its answer has been read.
func (h *hold) overHTTP1(cl *engine.Cluster, rt http.RoundTripper, r *http.Request) (*http.Response, error) {
	if err := h.takeSlot(cl, r); err != nil {
		return unsent(r, err)
	}
	return rt.RoundTrip(r)
}

// overPlain is overHTTP1 by the mesh's own loop, with more lines than those of the
// request.
func (h *hold) overPlain(cl *engine.Cluster, p *h1.Pool, r *http.Request, more h1.Lines) (*http.Response, error) {
	if err := h.takeSlot(cl, r); err != nil {
		return unsent(r, err)
	}
	return p.Send(r, more)
}

// A lineError ends the wait for a connection: the try has not got to its host.
type lineError struct{ err error }

func (e *lineError) Error() string { return e.err.Error() }
func (e *lineError) Unwrap() error { return e.err }

func (h *hold) takeSlot(cl *engine.Cluster, r *http.Request) error {
	gate := cl.Gate()
	if !gate.TryAcquireSlot() {
		if err := gate.AcquireSlot(r.Context()); err != nil {
			return &lineError{err}
		}
	}
	h.slot = gate
	return nil
}
