package observability_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// mixedRules: what fails is sent again, and retries have a limit.
const mixedRules = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}
    route: [{destination: {host: reviews}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ratings}
spec:
  hosts: [ratings]
  http:
  - retries: {attempts: 2, retryOn: unavailable, backoff: 1ms}
    route: [{destination: {host: ratings}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ratings}
spec:
  host: ratings
  trafficPolicy:
    connectionPool: {http: {maxRetries: 3}}
`

// Callers say by a header what goes wrong: flaky calls fail where they come first.
const (
	moodHeader = "X-Mood"
	flaky      = "flaky"
)

// A mixed fleet has what the demo has not: productpage calls reviews by HTTP, which
// calls ratings by gRPC.
type mixed struct {
	*sdks
	ca    *tlsid.CA
	where *discovery.Static
}

// newMixed is one that nobody has joined.
func newMixed(t *testing.T, to *sdks) *mixed {
	t.Helper()
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		t.Fatal(err)
	}
	where, err := discovery.NewStatic(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &mixed{sdks: to, ca: ca, where: where}
}

// runMixed starts one, and returns the address of productpage.
func runMixed(t *testing.T, spans func() sdktrace.SpanExporter) (s *sdks, page string) {
	t.Helper()
	f := newMixed(t, &sdks{spans: spans})
	f.announce(t, "ratings", f.ratings(t))
	f.announce(t, "reviews", f.reviews(t))
	return f.sdks, "http://" + f.productpage(t).Address
}

func (f *mixed) announce(t *testing.T, service string, e discovery.Endpoint) {
	t.Helper()
	if err := f.where.Set(service, []discovery.Endpoint{e}); err != nil {
		t.Fatal(err)
	}
}

// join makes the mesh of a process, as its main would.
func (f *mixed) join(t *testing.T, service string) *mesh.Mesh {
	t.Helper()
	m, err := mesh.New(t.Context(), mesh.Config{
		Workload:  mesh.Workload{Service: service, Labels: labelsOf(service, "v1")},
		Rules:     rules.Static(mixedRules),
		Discovery: f.where,
		Identity:  f.ca.Workload(service),
		Telemetry: f.sdk(t, service, "v1"),
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

// productpage passes each request on to reviews.
func (f *mixed) productpage(t *testing.T) discovery.Endpoint {
	m := f.join(t, "productpage")
	client := &http.Client{Transport: m.Transport(nil)}
	return serve(t, m, "productpage", func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://reviews/reviews/7", nil)
		req.Header.Set(moodHeader, r.Header.Get(moodHeader))
		resp, err := client.Do(req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	})
}

// reviews asks ratings, if it is in the mood.
func (f *mixed) reviews(t *testing.T) discovery.Endpoint {
	m := f.join(t, "reviews")
	conn, err := meshgrpc.NewClient(m, "mesh:///ratings")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return serve(t, m, "reviews", func(w http.ResponseWriter, r *http.Request) {
		mood := r.Header.Get(moodHeader)
		if mood == flaky && r.Header.Get("X-Envoy-Attempt-Count") == "" {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		stars, err := rate(r.Context(), conn, mood)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, stars)
	})
}

// serve takes requests as the rules say.
func serve(t *testing.T, m *mesh.Mesh, service string, h http.HandlerFunc) discovery.Endpoint {
	t.Helper()
	l, err := m.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: m.Handler(h), ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
	return endpoint(m, l, service)
}

// ratings is a gRPC server.
func (f *mixed) ratings(t *testing.T) discovery.Endpoint {
	t.Helper()
	m := f.join(t, "ratings")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(meshgrpc.ServerOptions(m)...)
	server.RegisterService(&ratingsDesc, struct{}{})
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return endpoint(m, l, "ratings")
}

// endpoint is a server of the fleet, as discovery tells of it.
func endpoint(m *mesh.Mesh, l net.Listener, service string) discovery.Endpoint {
	return discovery.Endpoint{Address: l.Addr().String(), Labels: labelsOf(service, "v1"), Identity: m.Status().Identity.ID}
}

// grpcQueries are what the dashboards, Kiali and the mesh's own metrics ask of gRPC,
// and of what the demo's rules do not set.
var grpcQueries = []string{
	`round(sum(irate(istio_requests_total{` + client + `,request_protocol="grpc",destination_service=~"ratings.default.svc.cluster.local"}[5m])), 0.001)`,
	`sum(rate(istio_requests_total{reporter="destination",source_workload_namespace="default",request_protocol="grpc",grpc_response_status="0"} [60s])) by (` + kialiGroup + `)`,
	`sum(rate(istio_request_messages_total{reporter="source",source_workload_namespace="default"} [60s])) by (` + kialiNodes + `)`,
	`sum(rate(istio_response_messages_total{reporter="source",source_workload_namespace="default"} [60s])) by (` + kialiNodes + `)`,
	`inmesh_retries_total{destination_service="ratings.default.svc.cluster.local", subset=""}`,
	`inmesh_retries_limit`,
}

func TestPrometheusAnswersTheDashboardsForGRPC(t *testing.T) {
	s, page := runMixed(t, nil)
	crowd(t, page, "", flaky)
	p := runPrometheus(t, s.targets)
	for _, q := range grpcQueries {
		p.await(t, q, hasData)
	}
}
