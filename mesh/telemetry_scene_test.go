package mesh_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// An audience is an SDK that is told what happens.
type audience struct {
	reader   *sdkmetric.ManualReader
	recorder *tracetest.SpanRecorder
	tracers  *sdktrace.TracerProvider
}

func newAudience(sampler sdktrace.Sampler) *audience {
	a := &audience{reader: sdkmetric.NewManualReader(), recorder: tracetest.NewSpanRecorder()}
	a.tracers = sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithSpanProcessor(a.recorder))
	return a
}

// config has a mesh tell the audience.
func (a *audience) config() telemetry.Config {
	return telemetry.Config{
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(a.reader)),
		TracerProvider: a.tracers,
	}
}

// before plays a scenario of productpage's mesh before an audience that samples all.
func before(t *testing.T, documents []string, run func(*scene, *audience)) {
	t.Helper()
	var a *audience
	playWith(t, documents, func(_ *scene, c *mesh.Config) {
		a = newAudience(sdktrace.AlwaysSample())
		c.Telemetry = a.config()
		c.Workload = mesh.Workload{Service: "productpage", Labels: map[string]string{"app": "productpage", "version": "v1"}}
	}, func(s *scene) { run(s, a) })
}

// metrics are what the reader sees, by name.
func (a *audience) metrics(t testing.TB) map[string]metricdata.Aggregation {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := a.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]metricdata.Aggregation{}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			out[m.Name] = m.Data
		}
	}
	return out
}

// requests are the points of istio_requests_total.
func (a *audience) requests(t testing.TB) []metricdata.DataPoint[int64] {
	t.Helper()
	sum, _ := a.metrics(t)["istio_requests_total"].(metricdata.Sum[int64])
	return sum.DataPoints
}

// outcomes count the requests, by the values of these labels.
func (a *audience) outcomes(t testing.TB, names ...string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for _, p := range a.requests(t) {
		l := labelsOf(p.Attributes)
		var values []string
		for _, n := range names {
			values = append(values, l[n])
		}
		out[strings.Join(values, " ")] += p.Value
	}
	return out
}

func labelsOf(set attribute.Set) map[string]string {
	out := map[string]string{}
	for _, kv := range set.ToSlice() {
		out[string(kv.Key)] = kv.Value.Emit()
	}
	return out
}

// tree draws the spans that have ended, children under their parents in the order
// in which they began: name, kind and the given attributes, then its events.
func (a *audience) tree(names ...string) string {
	var b strings.Builder
	spans := a.recorder.Ended()
	slices.SortFunc(spans, func(s, o sdktrace.ReadOnlySpan) int { return s.StartTime().Compare(o.StartTime()) })
	ids := map[string]bool{}
	for _, s := range spans {
		ids[s.SpanContext().SpanID().String()] = true
	}
	for _, s := range spans {
		if !ids[s.Parent().SpanID().String()] {
			draw(&b, spans, s, 0, names)
		}
	}
	return b.String()
}

func draw(b *strings.Builder, all []sdktrace.ReadOnlySpan, s sdktrace.ReadOnlySpan, depth int, names []string) {
	about := labelsOf(attribute.NewSet(s.Attributes()...))
	fmt.Fprintf(b, "%s%s %s", strings.Repeat("  ", depth), s.Name(), s.SpanKind())
	for _, n := range names {
		if v, ok := about[n]; ok {
			fmt.Fprintf(b, " %s=%s", n, v)
		}
	}
	for _, e := range s.Events() {
		fmt.Fprintf(b, " !%s", e.Name)
	}
	b.WriteByte('\n')
	for _, child := range all {
		if child.Parent().SpanID() == s.SpanContext().SpanID() {
			draw(b, all, child, depth+1, names)
		}
	}
}

func wantCounts(t *testing.T, got, want map[string]int64) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
