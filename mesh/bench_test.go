package mesh_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// canned answers every request with a new empty response.
type canned struct{}

func (canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
}

const seedRules = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy:
    connectionPool:
      tcp: {maxConnections: 100}
      http: {http1MaxPendingRequests: 100, http2MaxRequests: 1000}
    outlierDetection: {consecutive5xxErrors: 5, interval: 30s, baseEjectionTime: 30s}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - route:
    - {destination: {host: reviews, subset: v1}, weight: 90}
    - {destination: {host: reviews, subset: v2}, weight: 10}
`

const timeoutRules = seedRules + `    timeout: 5s
    retries: {attempts: 2, perTryTimeout: 2s, retryOn: "5xx"}
`

func newCanned(tb testing.TB, documents string) (http.RoundTripper, *http.Request) {
	tb.Helper()
	var eps []discovery.Endpoint
	for _, a := range []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4", "127.0.0.1:5", "127.0.0.1:6"} {
		v := "v1"
		if len(eps)%2 == 1 {
			v = "v2"
		}
		eps = append(eps, discovery.Endpoint{Address: a, Labels: map[string]string{"version": v}})
	}
	src, err := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": eps})
	if err != nil {
		tb.Fatal(err)
	}
	m, err := mesh.New(context.Background(), mesh.Config{Discovery: src, Rules: rules.Static(documents)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	r, _ := http.NewRequest("GET", "http://reviews/reviews/7", nil)
	r.Header.Set("Accept", "application/json")
	return m.Transport(canned{}), r
}

func benchmarkCanned(b *testing.B, rt http.RoundTripper, r *http.Request) {
	b.ReportAllocs()
	for b.Loop() {
		resp, err := rt.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}

func BenchmarkCannedBare(b *testing.B) {
	r, _ := http.NewRequest("GET", "http://reviews/reviews/7", nil)
	benchmarkCanned(b, canned{}, r)
}

func BenchmarkCannedMesh(b *testing.B) {
	rt, r := newCanned(b, seedRules)
	benchmarkCanned(b, rt, r)
}

func BenchmarkCannedMeshTimeouts(b *testing.B) {
	rt, r := newCanned(b, timeoutRules)
	benchmarkCanned(b, rt, r)
}

func BenchmarkCannedMeshParallel(b *testing.B) {
	rt, r := newCanned(b, seedRules)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := rt.RoundTrip(r)
			if err != nil {
				b.Fatal(err)
			}
			resp.Body.Close()
		}
	})
}
