package telemetry_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// productpage and reviews are the two ends of most calls in tests.
var (
	productpage = telemetry.WorkloadOf("productpage-v1", "default", map[string]string{"app": "productpage", "version": "v1"})
	reviews     = principal(telemetry.WorkloadOf("reviews-v2", "default", map[string]string{"app": "reviews", "version": "v2"}), "spiffe://cluster.local/ns/default/sa/bookinfo-reviews")

	reviewsService = telemetry.Service{Host: "reviews.default.svc.cluster.local", Name: "reviews", Namespace: "default"}
)

const ownPrincipal = "spiffe://cluster.local/ns/default/sa/bookinfo-productpage"

func principal(w telemetry.Workload, id string) telemetry.Workload {
	w.Principal = id
	return w
}

// toReviews is productpage's link over mutual TLS.
func toReviews() telemetry.Link {
	return telemetry.Link{Peer: reviews, Service: reviewsService, Principal: ownPrincipal}
}

// ok is a plain good result of a request that ends now.
func ok() telemetry.Result {
	return telemetry.Result{Start: time.Now().Add(-3 * time.Millisecond), Duration: 3 * time.Millisecond, Code: 200, GRPC: -1, RequestBytes: 100, ResponseBytes: 2000}
}

// A bench is a Telemetry with an SDK behind it.
type bench struct {
	*telemetry.Telemetry
	reader *sdkmetric.ManualReader
}

func open(t testing.TB, change ...func(*telemetry.Config)) bench {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	c := telemetry.Config{Local: productpage, MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))}
	for _, f := range change {
		f(&c)
	}
	tm, err := telemetry.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tm.Close(); err != nil {
			t.Error(err)
		}
	})
	return bench{tm, reader}
}

// collect is what the reader sees, by the instruments' names.
func (b bench) collect(t testing.TB) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := b.reader.Collect(context.Background(), &all); err != nil {
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

// counts are the points of a counter.
func (b bench) counts(t testing.TB, name string) []metricdata.DataPoint[int64] {
	t.Helper()
	sum, _ := b.collect(t)[name].Data.(metricdata.Sum[int64])
	return sum.DataPoints
}

// total is the sum of all points of a counter.
func (b bench) total(t testing.TB, name string) (n int64) {
	t.Helper()
	for _, p := range b.counts(t, name) {
		n += p.Value
	}
	return n
}

// labels are a set of attributes as a map.
func labels(set attribute.Set) map[string]string {
	out := map[string]string{}
	for _, kv := range set.ToSlice() {
		out[string(kv.Key)] = kv.Value.Emit()
	}
	return out
}

// sameLabels compares all labels.
func sameLabels(t *testing.T, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for name, v := range want {
		if g, ok := got[name]; !ok || g != v {
			t.Errorf("label %s: got %q (%t), want %q", name, g, ok, v)
		}
	}
	for name, v := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("label %s: got %q, want none", name, v)
		}
	}
}
