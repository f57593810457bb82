package mesh

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/h1"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// wires are the connections of a Transport: a pool and an http.Transport, or two,
// for each cluster, as a sidecar has a pool for each.
type wires struct {
	mesh      *Mesh
	template  *http.Transport
	byCluster sync.Map // *engine.Cluster → *wire
}

// A wire is one cluster's connections under one connection policy.
type wire struct {
	cluster *engine.Cluster
	spec    *plan.Cluster // whose Connection this wire obeys
	dialer  *dialer
	plain   *h1.Pool        // HTTP/1.1 in the clear, for the requests that it takes; nil: it takes none
	h1      *http.Transport // HTTP/1.1 for all others, or what ALPN agrees on
	h2c     *streams        // HTTP/2 in the clear
	speaks  sync.Map        // address → *h2cProbe
	retired atomic.Bool     // no new request comes
}

// carry sends one try.
func (t *Transport) carry(c *engine.Call, a *attempt, r *http.Request) (*http.Response, error) {
	if t.own == nil {
		return a.overHTTP1(c.Cluster, t.base, r)
	}
	w := t.own.of(c.Cluster)
	a.wire = w
	switch h2c, err := w.usesH2C(r); {
	case err != nil:
		return nil, err
	case h2c:
		return a.overH2C(w, w.forTransport(r))
	case w.plain != nil && w.plain.Takes(r):
		return a.overHTTP1(c.Cluster, w.plain, r)
	}
	return a.overHTTP1(c.Cluster, w.h1, w.forTransport(r))
}

// forTransport readies a request for an http.Transport.
func (w *wire) forTransport(r *http.Request) *http.Request {
	if r.GetBody == nil {
		r.GetBody = unprocessed
	}
	if w.spec.Connection.MaxRequests > 0 || w.spec.Connection.MaxAge > 0 {
		r = w.dialer.traced(r)
	}
	return r
}

// errUnprocessed says that upstream has not worked on a request, or that its
// sender lets it be executed twice.
var errUnprocessed = errors.New("the request was not processed")

// unprocessed is the GetBody of a body that can be read once. net/http calls it
// when it would send the request again by itself: because nothing was written, or
// the stream was refused. It then forgets why; but that it asked says enough.
func unprocessed() (io.ReadCloser, error) { return nil, errUnprocessed }

// overH2C sends a request that shares its connection with others.
func (a *attempt) overH2C(w *wire, r *http.Request) (*http.Response, error) {
	lane, done := w.h2c.take(r.URL.Host)
	a.stream = done
	resp, err := lane.RoundTrip(r)
	if err != nil && r.Context().Err() == nil {
		w.speaks.Delete(r.URL.Host) // another server may stand there now
	}
	return resp, err
}

// overHTTP1 sends a request that has a connection to itself while it is under
// way: with a limit on connections it waits in line for one. The attempt holds
// the place until its answer has been read.
func (a *attempt) overHTTP1(cl *engine.Cluster, rt http.RoundTripper, r *http.Request) (*http.Response, error) {
	if err := cl.Gate().AcquireSlot(r.Context()); err != nil {
		return nil, err
	}
	a.slot = cl.Gate()
	return rt.RoundTrip(r)
}

// of finds the wire of a cluster. A changed policy gets a new wire; requests on
// the old one finish, and its idle connections are closed.
func (w *wires) of(cl *engine.Cluster) *wire {
	spec := cl.Spec()
	if v, ok := w.byCluster.Load(cl); ok {
		have := v.(*wire)
		if have.spec == spec || have.spec.Connection == spec.Connection {
			return have
		}
	}
	fresh := w.renew(cl, spec)
	if cl.Closed() { // a call that outlives its cluster: nobody would say when the wire has had its day
		w.forget(cl)
	}
	return fresh
}

func (w *wires) renew(cl *engine.Cluster, spec *plan.Cluster) *wire {
	fresh := w.newWire(cl, spec)
	if old, ok := w.byCluster.Swap(cl, fresh); ok {
		old.(*wire).retire()
	}
	return fresh
}

// forget drops the wire of a cluster that is no more.
func (w *wires) forget(cl *engine.Cluster) {
	if old, ok := w.byCluster.LoadAndDelete(cl); ok {
		old.(*wire).retire()
	}
}

func (w *wires) closeIdle() {
	w.byCluster.Range(func(_, v any) bool {
		v.(*wire).closeIdle()
		return true
	})
}

func (w *wires) newWire(cl *engine.Cluster, spec *plan.Cluster) *wire {
	wr := &wire{cluster: cl, spec: spec, dialer: newDialer(w.mesh.config.DialContext, cl, spec.Connection)}
	wr.plain = w.pool(wr)
	wr.h1 = w.transport(wr, new(http.Protocols))
	wr.h1.Protocols.SetHTTP1(true)
	wr.h1.Protocols.SetHTTP2(true)
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	h2c.SetHTTP2(true)
	wr.h2c = newStreams(spec.Connection.MaxStreams, func() *http.Transport { return w.transport(wr, h2c) })
	wr.dialer.idle = wr.closeIdle
	return wr
}

// pool carries what it takes as the transport would, with the same settings.
func (w *wires) pool(wr *wire) *h1.Pool {
	if w.template.DisableKeepAlives {
		return nil
	}
	c := wr.spec.Connection
	return h1.New(h1.Config{
		Dial:               func(ctx context.Context, host string) (net.Conn, error) { return wr.dialer.dial(ctx, "", host) },
		IdleTimeout:        max(c.IdleTimeout, 0), // negative: none
		MaxIdle:            idlePerHost,
		MaxRequests:        c.MaxRequests,
		MaxAge:             c.MaxAge,
		DisableCompression: w.template.DisableCompression,
		MaxHeader:          w.template.MaxResponseHeaderBytes,
		HeaderTimeout:      w.template.ResponseHeaderTimeout,
		ReadBuffer:         w.template.ReadBufferSize,
	})
}

func (w *wires) transport(wr *wire, protocols *http.Protocols) *http.Transport {
	c := wr.spec.Connection
	t := w.template.Clone()
	t.Protocols = protocols
	t.Proxy = nil // an endpoint is reached directly
	t.DialContext = wr.dialer.dial
	t.DialTLSContext = wr.dialer.dialTLS(t.TLSClientConfig)
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = idlePerHost
	t.MaxConnsPerHost = 0
	t.IdleConnTimeout = max(c.IdleTimeout, 0) // negative: none, which is net/http's zero
	if c.PingInterval > 0 {
		t.HTTP2 = &http.HTTP2Config{SendPingTimeout: c.PingInterval, PingTimeout: c.PingTimeout}
	}
	return t
}

// idlePerHost keeps what bursts have opened; net/http's default of 2 would close
// most of it between two bursts.
const idlePerHost = 1024

func (w *wire) usesH2C(r *http.Request) (bool, error) {
	if r.URL.Scheme == "https" {
		return false, nil
	}
	switch w.spec.Connection.HTTP2 {
	case plan.HTTP2Only:
		return true, nil
	case plan.HTTP2Client:
		return r.ProtoMajor == 2, nil
	case plan.HTTP2Upgrade:
		if !upgrades(r) {
			return w.speaksH2C(r.Context(), r.URL.Host)
		}
	}
	return false, nil
}

// retire closes what is idle now, and what requests under way leave behind.
func (w *wire) retire() {
	w.retired.Store(true)
	w.closeIdle()
}

func (w *wire) closeIdle() {
	if w.plain != nil {
		w.plain.CloseIdle()
	}
	w.h1.CloseIdleConnections()
	w.h2c.closeIdle()
}
