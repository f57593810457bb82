package telemetry

import (
	"context"
	"net/textproto"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// A Carrier is the headers of a request: an http.Header, or gRPC's metadata,
// whose names are in lower case.
type Carrier struct {
	Header map[string][]string
	Lower  bool
	// Untraced says that Header has none of the W3C's names.
	Untraced bool
	// Room is where traceparent is written. Nil: it is made.
	Room *Room
}

// Get implements propagation.TextMapCarrier.
func (c Carrier) Get(key string) string { return first(c.Header, c.name(key)) }

// Set implements propagation.TextMapCarrier.
func (c Carrier) Set(key, value string) { c.Header[c.name(key)] = []string{value} }

// Keys implements propagation.TextMapCarrier.
func (c Carrier) Keys() []string {
	keys := make([]string, 0, len(c.Header))
	for k := range c.Header {
		keys = append(keys, k)
	}
	return keys
}

func (c Carrier) name(key string) string {
	if c.Lower {
		return strings.ToLower(key)
	}
	return textproto.CanonicalMIMEHeaderKey(key)
}

// The W3C's headers, as each kind of carrier spells them.
var (
	canonicalNames = w3cNames{"Traceparent", "Tracestate", "Baggage"}
	lowerNames     = w3cNames{"traceparent", "tracestate", "baggage"}
)

type w3cNames struct{ traceparent, tracestate, baggage string }

func (c Carrier) names() *w3cNames {
	if c.Lower {
		return &lowerNames
	}
	return &canonicalNames
}

// A propagator carries traces: by hand, if they are the W3C's.
type propagator struct {
	other   propagation.TextMapPropagator // nil: the W3C's
	baggage bool
}

// newPropagator: a propagator that has not been set has no fields, and the W3C's
// takes its place.
func newPropagator(p propagation.TextMapPropagator) propagator {
	fields := p.Fields()
	if len(fields) == 0 {
		return propagator{baggage: true}
	}
	w3c := slices.Contains(fields, lowerNames.traceparent)
	for _, f := range fields {
		w3c = w3c && (f == lowerNames.traceparent || f == lowerNames.tracestate || f == lowerNames.baggage)
	}
	if !w3c {
		return propagator{other: p}
	}
	return propagator{baggage: slices.Contains(fields, lowerNames.baggage)}
}

// reads reports whether there may be something to extract.
func (p *propagator) reads(c Carrier) bool { return p.other != nil || !c.Untraced }

// extract is ctx with what the headers carry. A trace that they do not carry, or
// not well, leaves ctx as it is; so does baggage where ctx has some.
func (p *propagator) extract(ctx context.Context, c Carrier) context.Context {
	if p.other != nil {
		return p.other.Extract(ctx, c)
	}
	names := c.names()
	if p.baggage && len(c.Header[names.baggage]) > 0 && baggage.FromContext(ctx).Len() == 0 {
		ctx = propagation.Baggage{}.Extract(ctx, c)
	}
	parents := c.Header[names.traceparent]
	if len(parents) != 1 { // several are none
		return ctx
	}
	sc, ok := parseTraceparent(parents[0])
	if !ok {
		return ctx
	}
	sc.TraceState = parseTracestate(c.Header[names.tracestate])
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(sc))
}

// inject writes what belongs to s, and to the baggage of ctx, into the headers.
func (p *propagator) inject(ctx context.Context, s *Span, c Carrier) {
	if p.other != nil {
		p.other.Inject(trace.ContextWithSpanContext(ctx, s.Context()), c)
		return
	}
	if s.placed {
		injectTrace(&s.at, c)
	}
	if p.baggage {
		if b := baggage.FromContext(ctx); b.Len() > 0 {
			propagation.Baggage{}.Inject(ctx, c)
		}
	}
}

// injectTrace writes the W3C's headers of a trace.
func injectTrace(at *trace.SpanContextConfig, c Carrier) {
	injectParent(at, c)
	if at.TraceState.Len() > 0 {
		c.Header[c.names().tracestate] = []string{at.TraceState.String()}
	}
}

// injectParent writes the one of a trace that has no tracestate.
func injectParent(at *trace.SpanContextConfig, c Carrier) {
	room, names := c.Room, c.names()
	if room == nil {
		room = new(Room)
	}
	c.Header[names.traceparent] = room.write(at)
	if !c.Untraced {
		delete(c.Header, names.tracestate) // another trace's
	}
}

// Carried is what Span.Inject has to write.
type Carried uint8

// From one to the next, it is more.
const (
	CarriesNothing Carried = iota
	CarriesParent          // the header traceparent alone: AppendTraceparent does the same
	CarriesMore
)

func (p *propagator) carried(ctx context.Context, s *Span) Carried {
	switch {
	case p.other != nil, p.baggage && baggage.FromContext(ctx).Len() > 0:
		return CarriesMore
	case !s.placed:
		return CarriesNothing
	}
	if s.at.TraceState.Len() > 0 {
		return CarriesMore
	}
	return CarriesParent
}
