package observability_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

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

// A service is one process of the fleet.
type service struct {
	*telemetry.Telemetry
	name, version string
	metrics       http.Handler
	traces        *sdktrace.TracerProvider
}

// start starts a process that exports metrics to Prometheus and, if there is an
// exporter, traces.
func start(t *testing.T, name, version string, to sdktrace.SpanExporter) *service {
	t.Helper()
	registry := prometheus.NewRegistry()
	histograms := producer.New()
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithProducer(histograms))
	if err != nil {
		t.Fatal(err)
	}
	s := &service{name: name, version: version, metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{})}
	identity := resource.NewSchemaless(semconv.ServiceName(name), semconv.ServiceVersion(version))
	s.traces = sdktrace.NewTracerProvider(sdktrace.WithResource(identity), sdktrace.WithSyncer(to))
	if s.Telemetry, err = telemetry.New(telemetry.Config{
		Local:          s.workload(),
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithResource(identity), sdkmetric.WithReader(exporter)),
		TracerProvider: s.traces,
		Histograms:     histograms,
		State:          state,
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close(t) })
	return s
}

func (s *service) close(t *testing.T) {
	if err := s.Close(); err != nil {
		t.Errorf("%s: %v", s.name, err)
	}
	if err := s.traces.Shutdown(context.Background()); err != nil {
		t.Errorf("%s: traces: %v", s.name, err)
	}
}

// state is what the mesh itself would tell.
func state() telemetry.State {
	return telemetry.State{
		Certificate: time.Now().Add(time.Hour),
		Rules:       telemetry.RulesState{Version: "abc", Objects: 2, Reloads: 1, Changed: time.Now()},
		Destinations: []telemetry.DestinationState{{
			Service: "reviews.default.svc.cluster.local", Subset: "v1", Port: 9080, Retries: 3, RequestLimit: 100, RetryLimit: 3, ConnectionLimit: -1, PendingLimit: -1,
			Hosts: telemetry.HostStates{Closed: 2, Open: 1}, Discovered: time.Now().Add(-time.Second),
		}},
	}
}

func (s *service) workload() telemetry.Workload {
	w := telemetry.WorkloadOf(s.name+"-"+s.version, "default", map[string]string{"app": s.name, "version": s.version})
	w.Principal = s.principal()
	return w
}

func (s *service) principal() string { return "spiffe://cluster.local/ns/default/sa/" + s.name }

func (s *service) address() telemetry.Service {
	return telemetry.Service{Host: s.name + ".default.svc.cluster.local", Name: s.name, Namespace: "default"}
}

// outbound is the edge of calls from s to another over mutual TLS.
func (s *service) outbound(to *service, p telemetry.Protocol) *telemetry.Edge {
	return s.Edge(telemetry.Link{Protocol: p, Peer: to.workload(), Service: to.address(), Principal: s.principal()})
}

// inbound is that of the same calls on the other side.
func (s *service) inbound(from *service, p telemetry.Protocol) *telemetry.Edge {
	return s.Edge(telemetry.Link{Reporter: telemetry.Destination, Protocol: p, Peer: from.workload(), Service: s.address(), Principal: s.principal()})
}

// A hop is what a call from one process to another comes to, try by try.
type hop struct {
	from, to *service
	protocol telemetry.Protocol
	codes    []int // of each try
}

// send plays a call. The last try reaches the handler.
func (h hop) send(ctx context.Context, handler func(ctx context.Context)) {
	out, in := h.from.outbound(h.to, h.protocol), h.to.inbound(h.from, h.protocol)
	begun := time.Now()
	ctx, call := h.from.Call(ctx, telemetry.Carrier{}, "GET")
	for i, code := range h.codes {
		tryCtx, try := call.Attempt(ctx, i+1, "GET")
		header := http.Header{}
		try.Inject(tryCtx, telemetry.Carrier{Header: header})
		begunTry := time.Now()
		if last := i == len(h.codes)-1; last {
			h.serve(in, header, code, handler)
		} else {
			h.serve(in, header, code, func(context.Context) {})
			call.Retry(i+1, "10.0.0.1:9080", "5xx", time.Millisecond)
		}
		result := h.result(begunTry, code)
		try.Finish(out, &result)
	}
	result := h.result(begun, h.codes[len(h.codes)-1])
	result.Span = call.Context()
	call.Finish(out, &result)
	out.Record(&result)
}

// serve plays the server's side of a try.
func (h hop) serve(e *telemetry.Edge, header http.Header, code int, handler func(ctx context.Context)) {
	begun := time.Now()
	ctx, span := h.to.Serve(context.Background(), telemetry.Carrier{Header: header}, "GET")
	handler(ctx)
	result := h.result(begun, code)
	span.Finish(e, &result)
	e.Record(&result)
}

func (h hop) result(begun time.Time, code int) telemetry.Result {
	r := telemetry.Result{Start: begun, Duration: time.Since(begun) + 3*time.Millisecond, Code: code, GRPC: -1, RequestBytes: 300, ResponseBytes: 3000}
	if h.protocol == telemetry.GRPC {
		r.GRPC, r.RequestMessages, r.ResponseMessages = 0, 1, 1
	}
	if code >= 500 {
		r.Flags = telemetry.UpstreamConnectFailure
	}
	return r
}

// serveMetrics is where Prometheus finds the metrics of a process.
func (s *service) serveMetrics(t *testing.T) (address string) {
	server := httptest.NewServer(s.metrics)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
