package observability_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/mesh/telemetry/producer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A target is where a process' metrics are.
type target struct{ service, version, address string }

// sdks are those of the processes of a fleet, one each.
type sdks struct {
	targets []target
	spans   func() sdktrace.SpanExporter // what becomes of a process' spans; nil: there are none
}

// sdk is what a program that wants metrics in Prometheus and traces over OTLP sets
// up.
func (s *sdks) sdk(t *testing.T, service, version string) telemetry.Config {
	t.Helper()
	registry, histograms := prometheus.NewRegistry(), producer.New()
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithProducer(histograms))
	if err != nil {
		t.Fatal(err)
	}
	// One at a time: a scrape that is given up goes on, and on a slow machine many do.
	address := expose(t, promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 1}))
	s.targets = append(s.targets, target{service, version, address})
	about := resource.NewSchemaless(semconv.ServiceName(service), semconv.ServiceVersion(version))
	return telemetry.Config{
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithResource(about), sdkmetric.WithReader(exporter)),
		TracerProvider: s.tracers(t, about),
		Histograms:     histograms,
	}
}

func expose(t *testing.T, metrics http.Handler) (address string) {
	server := httptest.NewServer(metrics)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func (s *sdks) tracers(t *testing.T, about *resource.Resource) *sdktrace.TracerProvider {
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(about)}
	if s.spans != nil {
		options = append(options, sdktrace.WithSyncer(s.spans()))
	}
	p := sdktrace.NewTracerProvider(options...)
	t.Cleanup(func() {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Errorf("traces: %v", err)
		}
	})
	return p
}

func labelsOf(service, version string) map[string]string {
	return map[string]string{"app": service, "version": version}
}
