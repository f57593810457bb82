package telemetry

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

// An Edge counts the requests of one Link. Telemetry.Edge finds it; hold on to
// it, for finding it again costs more than counting. It is safe for concurrent
// use.
type Edge struct {
	t    *Telemetry
	link Link
	rest bool // of links that had no room
	view atomic.Pointer[view]

	flow *topology.Flow // the drain's
}

// Link is what the Edge counts.
func (e *Edge) Link() Link { return e.link }

// A Result is how a request came out.
type Result struct {
	Start    time.Time
	Duration time.Duration // to the last byte of the answer
	// Code is the HTTP status that the caller saw; 0: none, for it is gone.
	Code int
	// GRPC is the gRPC status; -1: none. It counts where the protocol is GRPC.
	GRPC  int
	Flags Flags
	// RequestBytes and ResponseBytes are sizes with headers, as far as is known.
	RequestBytes, ResponseBytes int64
	// RequestMessages and ResponseMessages are a gRPC stream's, since the last
	// time that they were told.
	RequestMessages, ResponseMessages uint32
	// Span is that of a request whose trace is sampled: an exemplar. Zero: none.
	Span trace.SpanContext
	// Lane is where the request is counted. Those who report often keep one of
	// Telemetry.Lane, which is quicker. Nil: it is any.
	Lane *Lane
	// Details are the request's attributes. Nil: they are not known to
	// expressions. Telemetry.Wants says whether anybody asks for them.
	Details *Details
}

func (r *Result) outcome() outcome {
	return outcome{code: uint16(min(max(r.Code, 0), 999)), grpc: int16(min(max(r.GRPC, -1), 999)), flags: r.Flags}
}

// failed is what counts as an error in the topology: what a caller would retry
// or report, not what it asked in vain.
func (o outcome) failed(p Protocol) bool {
	if p == GRPC && o.grpc > 0 {
		return serverFault(int(o.grpc))
	}
	return o.code >= 500 || o.code == 0
}

// serverFault: of the gRPC codes, those that OpenTelemetry calls a server's error.
// https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
func serverFault(code int) bool {
	switch code {
	case 2, 4, 12, 13, 14, 15: // unknown, deadline exceeded, unimplemented, internal, unavailable, data loss
		return true
	}
	return false
}

// Record counts a request that is over. It allocates nothing unless the edge has
// not seen such an outcome before, its trace is sampled, or a tag is an expression.
func (e *Edge) Record(r *Result) {
	s, l := e.seriesOf(r), r.Lane
	if l == nil {
		l = e.t.recorder.any()
	}
	l.put(s, r)
}

// pass adds requests to the topology. The drain calls it.
func (e *Edge) pass(live *topology.Live, calls []topology.Call) {
	if e.flow == nil {
		e.flow = live.Flow(e.key())
	}
	live.Add(e.flow, calls...)
}

// key is the link as the topology knows it.
func (e *Edge) key() topology.Key {
	own, peer := nodeOf(&e.t.config.Local), nodeOf(&e.link.Peer)
	k := topology.Key{Source: own, Target: peer, Protocol: e.link.Protocol.String(), Secure: e.link.mutual()}
	if e.link.Reporter == Destination {
		k.Source, k.Target, k.Inbound = peer, own, true
	} else if peer.Name == "" { // none was reached, or nothing is known of it
		k.Target = serviceNode(&e.link)
	}
	return k
}

// nodeOf names a workload by its canonical service. Of a caller that has proven
// who it is and no more, the service account has the best name.
func nodeOf(w *Workload) topology.Node {
	n := topology.Node{Namespace: cmp.Or(namespaceOf(w.Principal), w.Namespace), Name: cmp.Or(w.Service, w.Name), Version: w.Revision}
	if n.Name == "" {
		n.Name = accountOf(w.Principal)
	}
	return cleanNode(n)
}

func cleanNode(n topology.Node) topology.Node {
	return topology.Node{Namespace: clean(n.Namespace), Name: clean(n.Name), Version: clean(n.Version)}
}

func serviceNode(l *Link) topology.Node {
	n := topology.Node{Namespace: l.Service.Namespace, Name: l.Service.Name}
	if n.Name == "" || n.Name == Passthrough || n.Name == BlackHole {
		n.Name = l.Service.Host
	}
	return cleanNode(n)
}

// A view is an edge under the settings in force. It does not change, but for
// series found by tags.
type view struct {
	side   *side
	labels []attribute.KeyValue
	series []*series
	tagged *sync.Map // tagKey → *series; nil: no tag depends on requests
}

type tagKey struct {
	outcome outcome
	tags    string
}

func (e *Edge) seriesOf(r *Result) *series {
	v := e.view.Load()
	if s := e.t.side(e.link.Reporter); v == nil || v.side != s {
		v = e.renew(s)
	}
	o := r.outcome()
	switch {
	case e.rest:
		o = o.coarse()
	case v.tagged != nil:
		return e.tagged(v, o, r)
	}
	for _, s := range v.series {
		if s.outcome == o {
			return s
		}
	}
	return e.add(o)
}

// renew begins anew under changed settings.
func (e *Edge) renew(s *side) *view {
	e.t.mu.Lock()
	defer e.t.mu.Unlock()
	if v := e.view.Load(); v != nil && v.side == s {
		return v
	}
	return e.renewLocked(s)
}

func (e *Edge) renewLocked(s *side) *view {
	v := &view{side: s, labels: endLabels(&e.link, &e.t.config.Local)}
	if e.rest {
		v.labels = append(v.labels, overflow)
	}
	if s.tagged {
		v.tagged = new(sync.Map)
	}
	e.t.releaseLocked(e, e.view.Load())
	e.view.Store(v)
	return v
}

// add makes the series of an outcome that is new.
func (e *Edge) add(o outcome) *series {
	e.t.mu.Lock()
	defer e.t.mu.Unlock()
	v := e.view.Load()
	for _, s := range v.series {
		if s.outcome == o {
			return s
		}
	}
	if !e.t.admitLocked(e) {
		return e.t.restLocked(&e.link).coarseLocked(o)
	}
	return e.storeLocked(v, o)
}

// storeLocked adds a series to a view: a new view, for others read the old one.
func (e *Edge) storeLocked(v *view, o outcome) *series {
	s := e.newSeries(v, o, nil)
	next := *v
	next.series = append(v.series[:len(v.series):len(v.series)], s)
	e.view.Store(&next)
	return s
}

// tagged finds the series of a request by what its tags come to.
func (e *Edge) tagged(v *view, o outcome, r *Result) *series {
	env := &environment{r, e}
	k := tagKey{o, v.side.tagsOf(env)}
	if s, ok := v.tagged.Load(k); ok {
		return s.(*series)
	}
	e.t.mu.Lock()
	defer e.t.mu.Unlock()
	if s, ok := v.tagged.Load(k); ok {
		return s.(*series)
	}
	if e.view.Load().side != v.side { // the settings have just changed: it is not worth keeping
		return e.newSeries(v, o, env)
	}
	if !e.t.admitLocked(e) {
		return e.t.restLocked(&e.link).coarseLocked(o)
	}
	s := e.newSeries(v, o, env)
	v.tagged.Store(k, s)
	return s
}

// coarse is the outcome by its class of code, so that the series of what had no
// room are few, too.
func (o outcome) coarse() outcome { return outcome{code: o.code / 100 * 100, grpc: -1} }

func (e *Edge) coarseLocked(o outcome) *series {
	v := e.view.Load()
	o = o.coarse()
	for _, s := range v.series {
		if s.outcome == o {
			return s
		}
	}
	return e.storeLocked(v, o)
}
