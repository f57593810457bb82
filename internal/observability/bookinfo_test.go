package observability_test

import (
	"context"
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
)

// fleetRules: half of the calls to reviews go to each version, and what fails is
// sent again.
const fleetRules = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - name: split
    retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}
    route:
    - {destination: {host: reviews, subset: v1}, weight: 1}
    - {destination: {host: reviews, subset: v2}, weight: 1}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 100}, http: {http1MaxPendingRequests: 100, http2MaxRequests: 100, maxRetries: 3}}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ratings}
spec:
  hosts: [ratings]
  http:
  - retries: {attempts: 2, retryOn: unavailable, backoff: 1ms}
    route: [{destination: {host: ratings}}]
`

// Callers say by a header what goes wrong: flaky calls fail where they come first,
// broken ones always.
const (
	moodHeader = "X-Mood"
	flaky      = "flaky"
	broken     = "broken"
)

// bookinfo starts a fleet in which productpage calls reviews, which calls ratings
// by gRPC, and returns the address of productpage.
func bookinfo(t *testing.T, spans func() sdktrace.SpanExporter) (f *fleet, page string) {
	t.Helper()
	f = newFleet(t, spans)
	f.announce(t, "ratings", f.ratings(t))
	f.announce(t, "reviews", f.reviews(t, "v1"), f.reviews(t, "v2"))
	return f, "http://" + f.productpage(t).Address
}

func (f *fleet) announce(t *testing.T, service string, endpoints ...discovery.Endpoint) {
	t.Helper()
	if err := f.where.Set(service, endpoints); err != nil {
		t.Fatal(err)
	}
}

// productpage passes each request on to reviews.
func (f *fleet) productpage(t *testing.T) discovery.Endpoint {
	m := f.join(t, "productpage", "v1")
	client := &http.Client{Transport: m.Transport(nil)}
	return f.serve(t, m, "productpage", "v1", func(w http.ResponseWriter, r *http.Request) {
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
func (f *fleet) reviews(t *testing.T, version string) discovery.Endpoint {
	m := f.join(t, "reviews", version)
	conn, err := meshgrpc.NewClient(m, "mesh:///ratings")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return f.serve(t, m, "reviews", version, func(w http.ResponseWriter, r *http.Request) {
		mood := r.Header.Get(moodHeader)
		if mood == broken || mood == flaky && r.Header.Get("X-Envoy-Attempt-Count") == "" {
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
func (f *fleet) serve(t *testing.T, m *mesh.Mesh, service, version string, h http.HandlerFunc) discovery.Endpoint {
	t.Helper()
	l, err := m.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: m.Handler(h), ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
	return f.endpoint(m, l.Addr().String(), service, version)
}

// ratings is a gRPC server.
func (f *fleet) ratings(t *testing.T) discovery.Endpoint {
	t.Helper()
	m := f.join(t, "ratings", "v1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(meshgrpc.ServerOptions(m)...)
	server.RegisterService(&ratingsDesc, struct{}{})
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return f.endpoint(m, l.Addr().String(), "ratings", "v1")
}

// visit is a person's request, from outside the mesh.
func visit(ctx context.Context, page, mood string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	req.Header.Set(moodHeader, mood)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// crowd visits until the test is over, in all moods.
func crowd(t *testing.T, page string) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	busy(t, func() {
		for _, mood := range []string{"", flaky, broken} {
			_ = visit(context.Background(), page, mood) // what comes of it, Prometheus is asked
		}
	})
}
