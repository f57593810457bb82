package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// A Span is the part that a request plays in a trace: that of a call, of one of
// its attempts, or of a request that is served. One that is not recorded still
// has a place in its trace. The zero Span has none. It is one goroutine's.
type Span struct {
	t        *Telemetry
	rule     *tracingRule
	reporter Reporter
	span     trace.Span // nil: not recorded
	at       trace.SpanContextConfig
	placed   bool // at is valid; it is zero if not
}

// Recording reports whether anything that is said about the span is kept.
func (s *Span) Recording() bool { return s.span != nil }

// Context is the span's place in its trace: a Result's Span.
func (s *Span) Context() trace.SpanContext { return trace.NewSpanContext(s.at) }

// place gives the span its place in a trace, if sc is one. It is taken apart, for
// each look at a SpanContext copies the whole.
func (s *Span) place(sc trace.SpanContext) {
	at := &s.at
	at.TraceID, at.SpanID = sc.TraceID(), sc.SpanID()
	at.TraceFlags, at.TraceState, at.Remote = sc.TraceFlags(), sc.TraceState(), sc.IsRemote()
	if s.placed = at.TraceID.IsValid() && at.SpanID.IsValid(); !s.placed {
		*at = trace.SpanContextConfig{}
	}
}

// Attempt begins the span of a call's n-th try, from 1. It is a child of the
// call's if that is recorded, and else the same.
func (s *Span) Attempt(ctx context.Context, n int, name string) (context.Context, Span) {
	if s.span == nil {
		return ctx, *s
	}
	ctx = trace.ContextWithSpan(ctx, s.span)
	a := *s
	ctx, a.span = s.t.tracer.tracer.Start(ctx, name, s.t.tracer.options[Source]...)
	a.place(a.span.SpanContext())
	if !a.span.IsRecording() {
		a.span = nil
		return ctx, a
	}
	if n > 1 {
		a.span.SetAttributes(attribute.Int("http.request.resend_count", n-1))
	}
	return ctx, a
}

// Carries says what Inject has to write: whether headers must be copied for it.
func (s *Span) Carries(ctx context.Context) Carried {
	if s.t == nil || s.rule.noPropagation {
		return CarriesNothing
	}
	return s.t.tracer.carried(ctx, s)
}

// Inject writes the span's place in its trace, and the baggage of ctx, into the
// headers of a try, which must be the try's own.
func (s *Span) Inject(ctx context.Context, c Carrier) {
	if s.t != nil && !s.rule.noPropagation {
		s.t.tracer.inject(ctx, s, c)
	}
}

// InjectParent is Inject of a span that CarriesParent.
func (s *Span) InjectParent(c Carrier) { injectParent(&s.at, c) }

// AppendTraceparent appends the value of the header traceparent, for wires that
// write headers themselves; it appends nothing if Inject would write none of that
// name.
func (s *Span) AppendTraceparent(b []byte) []byte {
	if s.t == nil || s.rule.noPropagation || s.t.tracer.other != nil || !s.placed {
		return b
	}
	return appendTraceparent(b, &s.at)
}

// Retry notes that a try failed and another follows after wait.
func (s *Span) Retry(attempt int, endpoint, reason string, wait time.Duration) {
	if s.span != nil {
		s.span.AddEvent("retry", trace.WithAttributes(
			attribute.Int("attempt", attempt), attribute.String("endpoint", endpoint),
			attribute.String("reason", reason), attribute.Float64("wait_ms", milliseconds(wait))))
	}
}

// Ejection notes that a host was ejected for what a try came to.
func (s *Span) Ejection(endpoint, reason string, until time.Time) {
	if s.span != nil {
		s.span.AddEvent("ejection", trace.WithAttributes(
			attribute.String("endpoint", endpoint), attribute.String("reason", reason),
			attribute.String("until", until.UTC().Format(time.RFC3339Nano))))
	}
}

// Fault notes what a rule injected: a delay, or an abort with a status.
func (s *Span) Fault(delay time.Duration, status int) {
	if s.span == nil {
		return
	}
	var about []attribute.KeyValue
	if delay > 0 {
		about = append(about, attribute.Float64("delay_ms", milliseconds(delay)))
	}
	if status > 0 {
		about = append(about, attribute.Int("status", status))
	}
	s.span.AddEvent("fault", trace.WithAttributes(about...))
}

// Finish ends the span, now, with how it came out. It is called once.
func (s *Span) Finish(e *Edge, r *Result) {
	if s.span == nil {
		return
	}
	s.span.SetAttributes(s.attributes(&e.link, r)...)
	if d := r.Details; d != nil && d.Template != "" {
		s.span.SetName(SpanName(d.Method) + " " + told(d.Template))
	}
	if why := s.failure(&e.link, r); why != "" {
		s.fail(why, r)
	}
	s.span.End()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
