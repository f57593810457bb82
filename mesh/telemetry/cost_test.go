package telemetry_test

import (
	"context"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// collected takes over histograms and does nothing with them.
type collected struct{}

func (collected) Attach(func() []telemetry.Histogram) func() { return func() {} }

func pulled(c *telemetry.Config) { c.Histograms = collected{} }

func never(c *telemetry.Config) {
	c.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
}

func TestRecordAllocatesNothing(t *testing.T) {
	e := open(t, pulled).Edge(toReviews())
	r := ok()
	e.Record(&r)
	if n := testing.AllocsPerRun(1000, func() { e.Record(&r) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

// Two are the tracer provider's own: the span, and the context with it.
func TestAnUnsampledCallAllocatesWhatTheSDKDoes(t *testing.T) {
	b := open(t, pulled, never)
	e := b.Edge(toReviews())
	r := ok()
	header := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(1000, func() {
		_, span := b.Call(context.Background(), telemetry.Carrier{}, "GET")
		header = span.AppendTraceparent(header[:0])
		span.Finish(e, &r)
		e.Record(&r)
	}); n != 2 {
		t.Errorf("got %v allocations, want 2", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	for name, f := range map[string]func(*telemetry.Config){"pulled": pulled, "recorded": func(*telemetry.Config) {}} {
		b.Run(name, func(b *testing.B) {
			e := open(b, f).Edge(toReviews())
			r := ok()
			b.ReportAllocs()
			for b.Loop() {
				e.Record(&r)
			}
		})
	}
}

func BenchmarkRecordParallel(b *testing.B) {
	e := open(b, pulled).Edge(toReviews())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := ok()
		for pb.Next() {
			e.Record(&r)
		}
	})
}

func BenchmarkUnsampledCall(b *testing.B) {
	bench := open(b, pulled, never)
	e := bench.Edge(toReviews())
	r := ok()
	header := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		_, span := bench.Call(context.Background(), telemetry.Carrier{}, "GET")
		header = span.AppendTraceparent(header[:0])
		span.Finish(e, &r)
		e.Record(&r)
	}
}

func BenchmarkEdge(b *testing.B) {
	bench := open(b, pulled)
	l := toReviews()
	b.ReportAllocs()
	for b.Loop() {
		bench.Edge(l)
	}
}
