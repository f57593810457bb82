package mesh

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/h1"
	"github.com/inmesh-go/inmesh/mesh/internal/h2"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/tlsid"
)

// wires are the connections of a Transport: a pool and an http.Transport, or two,
// for each cluster, as a sidecar has a pool for each.
type wires struct {
	mesh      *Mesh
	template  *http.Transport
	dial      dialContext
	byCluster sync.Map   // *engine.Cluster → *wire
	mu        sync.Mutex // orders what is written there
}

// A wire is one cluster's connections under one connection policy and, where
// that has a say in them, under one credential of the process: connections do
// not outlive a rotation by more than the requests that they carry.
type wire struct {
	cluster    *engine.Cluster
	spec       *plan.Cluster // whose Connection and TLS this wire obeys
	credential tlsid.Credential
	dialer     *dialer
	plain      *h1.Pool        // HTTP/1.1, for the requests that it takes; nil: it takes none
	h1         *http.Transport // HTTP/1.1 for all others
	h2         *h2.Pool        // HTTP/2 alone
	noHTTP2    bool            // over https, unless a rule wants it
	speaks     sync.Map        // address → *h2Probe
	retired    atomic.Bool     // no new request comes
}

// of finds the wire of a cluster. A changed policy, or a new credential, gets a
// new wire; requests on the old one finish, and its idle connections are closed.
func (w *wires) of(cl *engine.Cluster, spec *plan.Cluster) *wire {
	credential := w.credential(spec)
	if have := w.find(cl); have.serves(spec, credential) {
		return have
	}
	fresh := w.renew(cl, spec, credential)
	if cl.Closed() { // a call that outlives its cluster: nobody would say when the wire has had its day
		w.forget(cl)
	}
	return fresh
}

func (w *wires) find(cl *engine.Cluster) *wire {
	v, ok := w.byCluster.Load(cl)
	if !ok {
		return nil
	}
	return v.(*wire)
}

// credential is the process's own, where connections may be made by it.
func (w *wires) credential(spec *plan.Cluster) tlsid.Credential {
	if m := spec.TLS.Mode; m == plan.TLSAuto || m == plan.TLSIstio {
		return w.mesh.identity.own()
	}
	return tlsid.Credential{}
}

// serves may be called on nil.
func (w *wire) serves(spec *plan.Cluster, credential tlsid.Credential) bool {
	return w != nil && w.credential == credential &&
		(w.spec == spec || w.spec.Connection == spec.Connection && w.spec.TLS.Equal(&spec.TLS))
}

func (w *wires) renew(cl *engine.Cluster, spec *plan.Cluster, credential tlsid.Credential) *wire {
	fresh, old := w.replace(cl, spec, credential)
	if old != nil {
		old.retire()
	}
	return fresh
}

// replace makes one wire for all who want it at the same time.
func (w *wires) replace(cl *engine.Cluster, spec *plan.Cluster, credential tlsid.Credential) (fresh, old *wire) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old = w.find(cl)
	if old.serves(spec, credential) {
		return old, nil
	}
	fresh = w.newWire(cl, spec, credential)
	w.byCluster.Store(cl, fresh)
	return fresh, old
}

// rotate retires the wires of credentials that are no longer in force; the next
// request of their clusters gets new ones.
func (w *wires) rotate() {
	w.byCluster.Range(func(cl, v any) bool {
		if have := v.(*wire); have.credential != w.credential(have.spec) && w.byCluster.CompareAndDelete(cl, have) {
			have.retire()
		}
		return true
	})
}

// forget drops the wire of a cluster that is no more.
func (w *wires) forget(cl *engine.Cluster) {
	if old, ok := w.byCluster.LoadAndDelete(cl); ok {
		old.(*wire).retire()
	}
}

// leave closes what is idle to a host that is gone: its address may be somebody
// else's tomorrow. What an http.Transport has goes at its idle timeout, for it
// closes all or nothing.
func (w *wires) leave(cl *engine.Cluster, h *engine.Host) {
	if wr := w.find(cl); wr != nil {
		wr.leave(h)
	}
}

func (w *wire) leave(h *engine.Host) {
	way := h.State.Line.Load()
	if way == nil {
		return
	}
	w.speaks.Delete(way.Spelt)
	w.h2.DrainTo(way.Spelt)
	if w.plain != nil {
		w.plain.CloseIdleTo(way.Spelt)
	}
}

func (w *wires) closeIdle() {
	w.byCluster.Range(func(_, v any) bool {
		v.(*wire).closeIdle()
		return true
	})
}

func (w *wires) retire() {
	w.byCluster.Range(func(_, v any) bool {
		v.(*wire).retire()
		return true
	})
}

func (w *wires) newWire(cl *engine.Cluster, spec *plan.Cluster, credential tlsid.Credential) *wire {
	wr := &wire{cluster: cl, spec: spec, credential: credential, noHTTP2: w.refusesHTTP2()}
	wr.dialer = &dialer{base: w.dial, gate: cl.Gate(), policy: spec.Connection, locks: w.newLocks(spec), idle: wr.closeIdle}
	wr.plain = w.pool(wr)
	wr.h1 = w.transport(wr)
	wr.h1.Protocols = new(http.Protocols)
	wr.h1.Protocols.SetHTTP1(true)
	wr.h1.DialContext = func(ctx context.Context, _, host string) (net.Conn, error) {
		return wr.minded(wr.dialer.onHTTP1(ctx, host))
	}
	wr.h1.DialTLSContext = wr.h1.DialContext
	wr.h2 = w.streams(wr)
	return wr
}

// refusesHTTP2 reports that the base has it turned off, in one of the ways that net/http
// documents. Rules may ask for it nevertheless.
func (w *wires) refusesHTTP2() bool {
	if p := w.template.Protocols; p != nil {
		return !p.HTTP2()
	}
	next := w.template.TLSNextProto
	return next != nil && next["h2"] == nil
}

// pool carries what it takes as the transport would, with the same settings.
func (w *wires) pool(wr *wire) *h1.Pool {
	if w.template.DisableKeepAlives {
		return nil
	}
	c := wr.spec.Connection
	return h1.New(h1.Config{
		Dial:               wr.dialer.onHTTP1,
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

// streams carries what is for HTTP/2, as the transport would.
func (w *wires) streams(wr *wire) *h2.Pool {
	c, gate := wr.spec.Connection, wr.cluster.Gate()
	return h2.New(w.transport(wr), h2.Config{
		Dial:        wr.dialer.forStreams,
		Wait:        func() (func(), error) { return gate.ReleasePending, gate.AcquirePending() },
		MaxStreams:  c.MaxStreams,
		MaxRequests: c.MaxRequests,
		MaxAge:      c.MaxAge,
	})
}

func (w *wires) transport(wr *wire) *http.Transport {
	c := wr.spec.Connection
	t := w.template.Clone()
	t.TLSNextProto = nil                       // where x/net/http2 has set it, it leads to the base's own pool, which knows addresses alone
	t.Proxy = nil                              // an endpoint is reached directly
	t.DialContext, t.DialTLSContext = nil, nil // it is for others to say
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

// retire closes what is idle now, and what requests under way leave behind.
func (w *wire) retire() {
	w.retired.Store(true)
	w.h2.Drain()
	w.windUp()
}

// carried is told of the end of a request to a host: what it leaves behind, nobody may
// have use for any more.
func (w *wire) carried(to *engine.Host) {
	if w.retired.Load() {
		w.windUp()
	}
	if to.Gone() {
		w.leave(to)
	}
}

// minded is what has been dialled, after a look whether the wire still has use for it.
// Who wanted it may be gone, and the wire be retired; an http.Transport keeps it even so.
func (w *wire) minded(c net.Conn, err error) (net.Conn, error) {
	if w.retired.Load() {
		w.windUp()
	}
	return c, err
}

// forgetting is how long it may take, after a connection has been made, until it is in
// use, or idle: net/http sees to that on goroutines of its own, and tells nobody.
const forgetting = 100 * time.Millisecond

// windUp closes what a request, or a dial, leaves behind on a wire that is retired.
func (w *wire) windUp() {
	w.closeIdle()
	if w.dialer.open.Load() > 0 {
		time.AfterFunc(forgetting, w.closeIdle)
	}
}

func (w *wire) closeIdle() {
	if w.plain != nil {
		w.plain.CloseIdle()
	}
	w.h1.CloseIdleConnections()
	w.h2.CloseIdle()
	w.dialer.spares.close()
}
