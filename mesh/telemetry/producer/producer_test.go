package producer_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/mesh/telemetry/producer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const durations = "istio_request_duration_milliseconds"

// world is a Telemetry whose histograms take the way through a Producer, or not.
func world(t testing.TB, through bool) (*telemetry.Telemetry, *sdkmetric.ManualReader) {
	t.Helper()
	p := producer.New()
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(p))
	c := telemetry.Config{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))}
	if through {
		c.Histograms = p
	}
	tm, err := telemetry.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tm.Close() })
	return tm, reader
}

func collect(t testing.TB, r *sdkmetric.ManualReader) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]metricdata.Metrics{}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			out[m.Name] = m
		}
	}
	return out
}

// What readers see is the same, whichever way it takes.
func TestHistogramsAreTheSameEitherWay(t *testing.T) {
	seen := map[bool]string{}
	for _, through := range []bool{false, true} {
		tm, reader := world(t, through)
		for i := range 1000 {
			tm.Edge(telemetry.Link{}).Record(&telemetry.Result{Duration: time.Duration(i) * time.Millisecond, Code: 200 + 300*(i%2), RequestBytes: int64(i), ResponseBytes: int64(i * i)})
		}
		all := collect(t, reader)
		for _, name := range []string{durations, "istio_request_bytes", "istio_response_bytes"} {
			h, ok := all[name].Data.(metricdata.Histogram[float64])
			if !ok || len(h.DataPoints) != 2 {
				t.Fatalf("%s: got %v, want two points", name, all[name].Data)
			}
			sums := map[string]string{}
			for _, p := range h.DataPoints {
				sums[p.Attributes.Encoded(attribute.DefaultEncoder())] = fmt.Sprint(p.Count, p.Sum, p.Bounds, p.BucketCounts)
			}
			seen[through] += fmt.Sprint(all[name].Name, all[name].Unit, h.Temporality, sums)
		}
	}
	if seen[true] != seen[false] {
		t.Errorf("through the producer:\n%s\nrecorded:\n%s", seen[true], seen[false])
	}
}

func TestCountsOutliveTheTelemetry(t *testing.T) {
	tm, reader := world(t, true)
	tm.Edge(telemetry.Link{}).Record(&telemetry.Result{Duration: time.Second, Code: 200})
	if err := tm.Close(); err != nil {
		t.Fatal(err)
	}
	h, _ := collect(t, reader)[durations].Data.(metricdata.Histogram[float64])
	if len(h.DataPoints) != 1 || h.DataPoints[0].Count != 1 {
		t.Errorf("got %v, want one point of 1", h.DataPoints)
	}
}

// A program that closes a mesh and opens another, or has two, has counted all of it
// once: exporters refuse all metrics for two points of the same labels.
func TestTelemetriesThatShareAProducerCountTogether(t *testing.T) {
	p := producer.New()
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(p))
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	var began time.Time
	for i := range 4 {
		tm, err := telemetry.New(telemetry.Config{MeterProvider: provider, Histograms: p})
		if err != nil {
			t.Fatal(err)
		}
		defer tm.Close()
		tm.Edge(telemetry.Link{}).Record(&telemetry.Result{Duration: time.Second, Code: 200})
		tm.Edge(telemetry.Link{}).Record(&telemetry.Result{Duration: time.Second, Code: 500 + i})
		h, _ := collect(t, reader)[durations].Data.(metricdata.Histogram[float64])
		if i == 0 {
			began = h.DataPoints[0].StartTime
		}
		counts := map[int64]uint64{}
		for _, p := range h.DataPoints {
			code, _ := p.Attributes.Value("response_code")
			n, _ := strconv.ParseInt(code.AsString(), 10, 64)
			counts[n] = p.Count
			if p.Sum != 1000*float64(p.Count) || p.BucketCounts[9] != p.Count || !p.StartTime.Equal(began) {
				t.Errorf("%d: got %+v", i, p)
			}
		}
		if len(counts) != len(h.DataPoints) || counts[200] != uint64(i+1) || counts[500] != 1 || len(counts) != i+2 {
			t.Errorf("%d: got %v of %d points", i, counts, len(h.DataPoints))
		}
		if i%2 == 0 {
			_ = tm.Close()
		}
	}
}

func ExampleNew() {
	p := producer.New()
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(p))
	t, err := telemetry.New(telemetry.Config{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), Histograms: p})
	if err != nil {
		panic(err)
	}
	defer t.Close()
	t.Edge(telemetry.Link{}).Record(&telemetry.Result{Duration: 3 * time.Millisecond, Code: 200, GRPC: -1})

	scopes, _ := p.Produce(context.Background())
	for _, m := range scopes[0].Metrics {
		point := m.Data.(metricdata.Histogram[float64]).DataPoints[0]
		fmt.Println(m.Name, point.Count, point.Sum)
	}
	// Output:
	// istio_request_duration_milliseconds 1 3
	// istio_request_bytes 1 0
	// istio_response_bytes 1 0
}
