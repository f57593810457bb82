package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// canned is a RoundTripper that has its answer ready. It costs one allocation,
// the response.
type canned struct{}

var cannedHeader = http.Header{
	"Content-Type": {"text/plain; charset=utf-8"},
	"Date":         {"Mon, 02 Jan 2006 15:04:05 GMT"},
}

// RoundTrip implements http.RoundTripper.
func (canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: cannedHeader, Body: http.NoBody, Request: r,
	}, nil
}

// A world is a service named reviews and the rules about it.
type world struct {
	endpoints []discovery.Endpoint
	rules     string
	identity  tlsid.Source // of the mesh; nil: none
	audience  audience
}

const virtualService = `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %[1]s}
spec:
  hosts: [%[1]s]
  http:
  - match:
    - headers: {x-canary: {exact: "true"}}
    route:
    - destination: {host: %[1]s, subset: v2}
  - route:
    - destination: {host: %[1]s, subset: v1}
`

const destinationRule = `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %[1]s}
spec:
  host: %[1]s
  trafficPolicy:
    connectionPool:
      tcp: {maxConnections: 1000}
      http: {http1MaxPendingRequests: 100, http2MaxRequests: 1000}
    outlierDetection: {consecutive5xxErrors: 5, interval: 30s, baseEjectionTime: 30s}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
`

// What becomes of a request to v1: retries only, or also a timeout for each try
// and one for the whole call.
const (
	retryReady = `    retries: {attempts: 2, retryOn: "5xx,reset,connect-failure"}
`
	withTimeouts = `    retries: {attempts: 2, retryOn: "5xx,reset,connect-failure", perTryTimeout: 2s}
    timeout: 5s
`
)

// newWorld has the endpoints, all of version v1, and so many rule objects: two
// about reviews, the rest about other services.
func newWorld(endpoints []discovery.Endpoint, objects int, policy string) world {
	return world{endpoints: endpoints, rules: objectsOf(objects, policy)}
}

func objectsOf(n int, policy string) string {
	var b strings.Builder
	for i := range n / 2 {
		name := "reviews"
		if i > 0 {
			name = fmt.Sprintf("service-%d", i)
		}
		fmt.Fprintf(&b, virtualService, name)
		b.WriteString(policy)
		fmt.Fprintf(&b, destinationRule, name)
	}
	return b.String()
}

func cannedEndpoints(n int) []discovery.Endpoint {
	return v1(func(i int) string { return fmt.Sprintf("10.%d.%d.%d:9080", i>>16, i>>8&255, i&255) }, n)
}

func v1(address func(int) string, n int) []discovery.Endpoint {
	labels := map[string]string{"app": "reviews", "version": "v1"}
	all := make([]discovery.Endpoint, n)
	for i := range all {
		all[i] = discovery.Endpoint{Address: address(i), Labels: labels}
	}
	return all
}

// secured is the world whose workloads have identities of the CA's, so that they
// speak mutual TLS.
func (w world) secured(ca *tlsid.CA) world {
	w.identity = ca.Workload("productpage")
	w.endpoints = slices.Clone(w.endpoints)
	for i := range w.endpoints {
		w.endpoints[i].Identity = reviews
	}
	return w
}

// upgraded is the world in which HTTP/2 is spoken.
func (w world) upgraded() world {
	w.rules = strings.ReplaceAll(w.rules, "http2MaxRequests: 1000", "http2MaxRequests: 1000, h2UpgradePolicy: UPGRADE")
	return w
}

// mesh puts the world's rules in force.
func (w world) mesh() (*mesh.Mesh, error) {
	known, err := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": w.endpoints})
	if err != nil {
		return nil, err
	}
	return mesh.New(context.Background(), mesh.Config{
		Discovery: known, Rules: rules.Static(w.rules + w.audience.rules()), Identity: w.identity,
		Telemetry: w.audience.config(), NoTelemetry: w.audience == nobody,
	})
}

// request is one that a service might make.
func request() *http.Request {
	r, err := http.NewRequest(http.MethodGet, "http://reviews/reviews/7", nil)
	if err != nil {
		panic(err) // the URL is a constant
	}
	r.Header.Set("User-Agent", "productpage/1.0")
	r.Header.Set("Accept", "application/json")
	return r
}

// get makes a caller of rt, with a request of its own.
func get(rt http.RoundTripper) func() {
	r := request()
	return func() {
		resp, err := rt.RoundTrip(r)
		if err != nil {
			panic(err) // a benchmark of failures would be worth nothing
		}
		_ = resp.Body.Close()
	}
}
