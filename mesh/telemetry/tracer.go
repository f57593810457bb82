package telemetry

import (
	"context"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// A tracer begins spans.
type tracer struct {
	propagator
	sleeper
	tracer  trace.Tracer
	options [2][]trace.SpanStartOption // by Reporter, made once
}

func newTracer(c Config) *tracer {
	return &tracer{
		propagator: newPropagator(c.Propagator),
		sleeper:    newSleeper(c.TracerProvider),
		tracer:     c.TracerProvider.Tracer(InstrumentationName),
		options: [2][]trace.SpanStartOption{
			Source:      {trace.WithSpanKind(trace.SpanKindClient)},
			Destination: {trace.WithSpanKind(trace.SpanKindServer)},
		},
	}
}

// A sleeper knows whether it is worth asking for spans. A program that has set no
// global provider gets one that makes spans of nothing, for two allocations each;
// it is not asked again until the program sets another.
type sleeper struct {
	never  bool                 // the provider never makes spans
	global trace.TracerProvider // the provider, if it may be the global one
	idle   *atomic.Bool         // it has made a span of nothing
}

func newSleeper(p trace.TracerProvider) sleeper {
	s := sleeper{idle: new(atomic.Bool)}
	_, s.never = p.(noop.TracerProvider)
	if reflect.TypeOf(p).Comparable() {
		s.global = p
	}
	return s
}

// asleep reports that a span would be one of nothing.
func (s *sleeper) asleep() bool {
	return s.never || s.idle.Load() && otel.GetTracerProvider() == s.global
}

// saw takes note of a span. A provider gives all spans a place in a trace, also
// those that it does not record.
func (s *sleeper) saw(placed bool) {
	if !placed {
		s.idle.Store(true)
	}
}

// Serve begins the span of a request that came in with these headers; the
// context that it returns is the handler's. The name is that of OpenTelemetry's
// conventions: the method, or method and route.
func (t *Telemetry) Serve(ctx context.Context, c Carrier, name string) (context.Context, Span) {
	var s Span
	ctx = s.Serve(ctx, t, c, name)
	return ctx, s
}

// Serve is Telemetry's, for a zero Span that has a place already.
func (s *Span) Serve(ctx context.Context, t *Telemetry, c Carrier, name string) context.Context {
	if t.tracer.reads(c) {
		ctx = t.tracer.extract(ctx, c)
	}
	s.begin(t, Destination)
	s.placeIn(ctx)
	if t.tracer.asleep() {
		return ctx
	}
	return s.start(ctx, name)
}

// Call begins the span of a request that goes out, under the span of ctx. Where
// ctx has none but the headers carry a trace, for a handler passes them on as it
// would with a sidecar, that trace goes on.
func (t *Telemetry) Call(ctx context.Context, c Carrier, name string) (context.Context, Span) {
	var s Span
	ctx = s.Call(ctx, t, c, name)
	return ctx, s
}

// Call is Telemetry's, for a zero Span that has a place already.
func (s *Span) Call(ctx context.Context, t *Telemetry, c Carrier, name string) context.Context {
	s.begin(t, Source)
	s.placeIn(ctx)
	if t.tracer.asleep() { // what the headers carry goes on as it is
		return ctx
	}
	if !s.placed && t.tracer.reads(c) {
		ctx = t.tracer.extract(ctx, c)
		s.placeIn(ctx)
	}
	return s.start(ctx, name)
}

func (s *Span) begin(t *Telemetry, r Reporter) {
	s.t, s.rule, s.reporter = t, &t.side(r).tracing, r
}

// placeIn gives a span the place of the one in ctx, if there is one.
func (s *Span) placeIn(ctx context.Context) {
	if in := trace.SpanFromContext(ctx); in != none {
		s.place(in.SpanContext())
	}
}

// none is what a context without a span has.
var none = trace.SpanFromContext(context.Background())

// start begins a span, unless the rules say that there is none; then what came in
// is passed on. The decision of a trace that exists is the tracer provider's to
// follow; of a new one, the rules' percentage decides first, and the provider may
// still decide against.
func (s *Span) start(ctx context.Context, name string) context.Context {
	t := s.t.tracer
	switch {
	case s.rule.noSpans:
		return ctx
	case s.rule.decided && !s.placed && !s.rule.hit():
		s.unsampled()
		if s.reporter == Destination { // the calls of the handler go by this decision
			ctx = trace.ContextWithSpanContext(ctx, s.Context())
		}
		return ctx
	}
	ctx, span := t.tracer.Start(ctx, name, t.options[s.reporter]...)
	s.place(span.SpanContext())
	t.saw(s.placed)
	if span.IsRecording() {
		s.span = span
	}
	return ctx
}

// unsampled makes the span, which has no place yet, the root of a trace that nobody
// records: it tells those who are called that it has been decided. No ID is all zero.
// That of the span is drawn with the trace's, of which it is the only span for all
// that anybody knows.
func (s *Span) unsampled() {
	one, other := rand.Uint64(), rand.Uint64()|1
	binary.LittleEndian.PutUint64(s.at.TraceID[:8], one)
	binary.LittleEndian.PutUint64(s.at.TraceID[8:], other)
	binary.LittleEndian.PutUint64(s.at.SpanID[:], one^bits.RotateLeft64(other, 32)|1)
	s.placed = true
}
