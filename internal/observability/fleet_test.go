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

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/mesh/telemetry/producer"
	"github.com/inmesh-go/inmesh/tlsid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fleet is some processes on loopback ports, each with a mesh and an SDK of its
// own, that speak mutual TLS with each other.
type fleet struct {
	ca      *tlsid.CA
	where   *discovery.Static
	targets []string                     // where Prometheus finds their metrics
	spans   func() sdktrace.SpanExporter // what becomes of a process' spans; nil: there are none
}

func newFleet(t *testing.T, spans func() sdktrace.SpanExporter) *fleet {
	t.Helper()
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		t.Fatal(err)
	}
	where, err := discovery.NewStatic(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &fleet{ca: ca, where: where, spans: spans}
}

// join makes the mesh of a process, as its main would.
func (f *fleet) join(t *testing.T, service, version string) *mesh.Mesh {
	t.Helper()
	m, err := mesh.New(t.Context(), mesh.Config{
		Workload:  mesh.Workload{Service: service, Labels: labelsOf(service, version)},
		Rules:     rules.Static(fleetRules),
		Discovery: f.where,
		Identity:  f.ca.Workload(service),
		Telemetry: f.sdk(t, service, version),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("%s: %v", service, err)
		}
	})
	return m
}

func labelsOf(service, version string) map[string]string {
	return map[string]string{"app": service, "version": version}
}

// sdk is what a program that wants metrics in Prometheus and traces over OTLP sets
// up.
func (f *fleet) sdk(t *testing.T, service, version string) telemetry.Config {
	t.Helper()
	registry, histograms := prometheus.NewRegistry(), producer.New()
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithProducer(histograms))
	if err != nil {
		t.Fatal(err)
	}
	// One at a time: a scrape that is given up goes on, and on a slow machine many do.
	f.expose(t, promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 1}))
	about := resource.NewSchemaless(semconv.ServiceName(service), semconv.ServiceVersion(version))
	return telemetry.Config{
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithResource(about), sdkmetric.WithReader(exporter)),
		TracerProvider: f.tracers(t, about),
		Histograms:     histograms,
	}
}

func (f *fleet) expose(t *testing.T, metrics http.Handler) {
	server := httptest.NewServer(metrics)
	t.Cleanup(server.Close)
	f.targets = append(f.targets, server.Listener.Addr().String())
}

func (f *fleet) tracers(t *testing.T, about *resource.Resource) *sdktrace.TracerProvider {
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(about)}
	if f.spans != nil {
		options = append(options, sdktrace.WithSyncer(f.spans()))
	}
	p := sdktrace.NewTracerProvider(options...)
	t.Cleanup(func() {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Errorf("traces: %v", err)
		}
	})
	return p
}

// endpoint is a server of the fleet, as discovery tells of it.
func (f *fleet) endpoint(m *mesh.Mesh, address, service, version string) discovery.Endpoint {
	return discovery.Endpoint{Address: address, Labels: labelsOf(service, version), Identity: m.Status().Identity.ID}
}
