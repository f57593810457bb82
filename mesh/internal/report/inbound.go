package report

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/tlsid"
)

// An Inbound is what is told of one request that is served. The zero Inbound tells
// nothing. It is one goroutine's, and used once.
type Inbound struct {
	reporter *Reporter // nil: nothing is told
	start    time.Time
	span     telemetry.Span
}

// Begin begins to report a request that has come in with these headers. The
// context is the handler's: the calls that it makes are under the request's span.
func (i *Inbound) Begin(ctx context.Context, r *Reporter, start time.Time, headers telemetry.Carrier, name string) context.Context {
	if r == nil {
		return ctx
	}
	i.reporter, i.start = r, start
	return i.span.Serve(ctx, r.telemetry, headers, name)
}

// Begun reports whether there is anybody to tell.
func (i *Inbound) Begun() bool { return i.reporter != nil }

// A Served is how a request came out. The zero Served is good for one request; one
// of Reporter.Served is quicker, and is to be kept for those that follow.
type Served struct {
	Protocol telemetry.Protocol
	Peer     tlsid.ID // that the connection has proven; zero: none
	Metadata string   // what the peer says of itself; it is believed if there is a Peer
	// Result has all but times and the span; Details are to be filled in if Wanted.
	Result  telemetry.Result
	Details telemetry.Details

	last encounter
}

// An encounter is whose request was told of last: the next one is often theirs.
type encounter struct {
	caller
	among *callers // nil: there was none
	edge  *telemetry.Edge
}

// Served makes one that has a place to count in.
func (r *Reporter) Served() *Served {
	return &Served{Result: telemetry.Result{Lane: r.telemetry.Lane()}}
}

// Detailed reports whether somebody reads Details.
func (i *Inbound) Detailed() bool {
	return i.span.Recording() || i.reporter.telemetry.Wants(telemetry.Destination)
}

// Wanted are the details that are to be filled in before Tell or End; nil: nobody
// reads them. It decides for those, too, and is called before them.
func (i *Inbound) Wanted(s *Served) *telemetry.Details {
	if i.Detailed() {
		s.Result.Details = &s.Details
	}
	return s.Result.Details
}

// Outcome is room for how the request came out, for who keeps none.
func (i *Inbound) Outcome() *Served { return i.reporter.served.Get().(*Served) }

// End is Tell of what is of Outcome, and not the caller's any more.
func (i *Inbound) End(ctx context.Context, s *Served) {
	i.Tell(ctx, s)
	i.reporter.served.Put(s)
}

// Tell tells how the request came out, which has just ended.
func (i *Inbound) Tell(ctx context.Context, s *Served) {
	r := &s.Result
	r.Start, r.Duration = i.start, time.Since(i.start)
	e := i.reporter.from(s)
	s.Metadata = "" // it is part of a request's head
	if r.Details != nil {
		i.tellDetailed(ctx, e, s)
		return
	}
	e.Record(r)
}

// tellDetailed is Tell where somebody reads the details.
func (i *Inbound) tellDetailed(ctx context.Context, e *telemetry.Edge, s *Served) {
	r := &s.Result
	if i.span.Recording() {
		r.Span = i.span.Context()
	}
	e.Record(r)
	i.reporter.telemetry.Log(ctx, e, r)
	i.span.Finish(e, r)
	*s = Served{Result: telemetry.Result{Lane: r.Lane}, last: s.last}
}

// A caller is a peer as it is told apart.
type caller struct {
	peer     tlsid.ID
	metadata string
	protocol telemetry.Protocol
}

// callers are the edges of those who have called, as long as the own credential
// is the same. The map does not change.
type callers struct {
	own   tlsid.Credential
	known map[caller]*telemetry.Edge
}

// mostCallers is how many are remembered: others are looked up each time.
const mostCallers = 1000

// An acquaintance is the callers that a Reporter knows.
type acquaintance struct {
	callers atomic.Pointer[callers]
	mu      sync.Mutex // orders those who make new ones
}

// from finds the edge of a request that was served.
func (r *Reporter) from(s *Served) *telemetry.Edge {
	k := caller{peer: s.Peer, protocol: s.Protocol}
	if !s.Peer.IsZero() && len(s.Metadata) <= telemetry.LongestMetadata { // more is not understood, nor kept
		k.metadata = s.Metadata
	}
	own, _ := r.own.Load()
	have := r.met.callers.Load()
	if have == nil || have.own != own {
		return r.meet(own, k)
	}
	if last := &s.last; last.among == have && last.caller == k {
		return last.edge
	}
	e := have.known[k]
	if e == nil {
		return r.meet(own, k)
	}
	s.last = encounter{k, have, e}
	return e
}

func (r *Reporter) meet(own tlsid.Credential, k caller) *telemetry.Edge {
	e := r.telemetry.Edge(r.linkFrom(own, k))
	r.met.mu.Lock()
	defer r.met.mu.Unlock()
	next := &callers{own: own, known: map[caller]*telemetry.Edge{}}
	if have := r.met.callers.Load(); have != nil && have.own == own {
		if len(have.known) >= mostCallers {
			return e
		}
		for k, e := range have.known {
			next.known[k] = e
		}
	}
	k.metadata = strings.Clone(k.metadata) // it was part of a request's head
	next.known[k] = e
	r.met.callers.Store(next)
	return e
}

func (r *Reporter) linkFrom(own tlsid.Credential, k caller) telemetry.Link {
	l := telemetry.Link{Reporter: telemetry.Destination, Protocol: k.protocol, Service: r.service}
	if k.peer.IsZero() {
		return l
	}
	l.Peer = r.telemetry.Peer(telemetry.Carrier{Header: map[string][]string{telemetry.MetadataHeader: {k.metadata}}})
	l.Peer.Principal = k.peer.String()
	l.Principal = own.ID().String()
	return l
}
