package mesh_test

import (
	"context"
	"net/http"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// cannedAnswer has its answer ready, for one allocation.
type cannedAnswer struct{}

func (cannedAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// pulled takes over histograms, as package producer does for an SDK.
type pulled struct{}

func (pulled) Attach(func() []telemetry.Histogram) func() { return func() {} }

// costs are configurations by what they tell.
func costs() map[string]func(*mesh.Config) {
	counted := func(c *mesh.Config) {
		c.Telemetry = newAudience(sdktrace.NeverSample()).config()
		c.Telemetry.Histograms, c.Telemetry.TracerProvider = pulled{}, nil
	}
	return map[string]func(*mesh.Config){
		"nothing":        func(c *mesh.Config) { c.NoTelemetry = true },
		"nobody listens": func(*mesh.Config) {},
		"metrics":        counted,
		"metrics, unsampled": func(c *mesh.Config) {
			counted(c)
			c.Telemetry.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
		},
	}
}

// sender sends a request by a mesh that tells what configure says.
func sender(t testing.TB, configure func(*mesh.Config)) func() {
	known, err := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": discovery.Addresses("10.0.0.1:9080", "10.0.0.2:9080")})
	if err != nil {
		t.Fatal(err)
	}
	c := mesh.Config{Discovery: known, Rules: rules.Static(route("reviews", "retries: {attempts: 1, retryOn: 5xx}"))}
	configure(&c)
	m, err := mesh.New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	transport := m.Transport(cannedAnswer{})
	r, _ := http.NewRequest(http.MethodGet, "http://reviews/reviews/7", nil)
	r.Header.Set("User-Agent", "productpage/1.0")
	return func() {
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
}

// Beside the answer there is one for the try. A trace that is not sampled takes
// two of the SDK's, for a span and its context, and two for a copy of the
// headers; what tells others so has its place in the try.
func TestAllocationsOfTelemetry(t *testing.T) {
	want := map[string]float64{"nothing": 2, "nobody listens": 2, "metrics": 2, "metrics, unsampled": 6}
	for name, configure := range costs() {
		send := sender(t, configure)
		for range 1000 { // what is made once is made
			send()
		}
		if got := testing.AllocsPerRun(1000, send); got != want[name] {
			t.Errorf("%s: %v allocations, want %v", name, got, want[name])
		}
	}
}

func BenchmarkTelemetry(b *testing.B) {
	for name, configure := range costs() {
		b.Run(name, func(b *testing.B) {
			send := sender(b, configure)
			b.ReportAllocs()
			for b.Loop() {
				send()
			}
		})
	}
}
