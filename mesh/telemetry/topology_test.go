package telemetry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

func TestTheTopologyIsMadeOfWhatPasses(t *testing.T) {
	for _, tc := range []struct {
		name           string
		link           telemetry.Link
		source, target string
		secure         bool
	}{
		{"a call over mutual TLS", toReviews(), "default/productpage@v1", "default/reviews@v2", true},
		{"a call in plaintext", telemetry.Link{Peer: principal(reviews, ""), Service: reviewsService}, "default/productpage@v1", "default/reviews@v2", false},
		{"a call that reached nobody", telemetry.Link{Service: reviewsService}, "default/productpage@v1", "default/reviews", false},
		{"a host that nobody knows", telemetry.Link{Service: telemetry.Service{Host: "example.com", Name: telemetry.Passthrough}}, "default/productpage@v1", "example.com", false},
		{"a caller by its certificate", telemetry.Link{Reporter: telemetry.Destination, Peer: telemetry.Workload{Principal: "spiffe://cluster.local/ns/shop/sa/cart"}, Principal: ownPrincipal}, "shop/cart", "default/productpage@v1", true},
		{"a caller by another kind of ID", telemetry.Link{Reporter: telemetry.Destination, Peer: telemetry.Workload{Principal: "spiffe://cluster.local/cart"}, Principal: ownPrincipal}, "cluster.local/cart", "default/productpage@v1", true},
		{"a caller that says nothing", telemetry.Link{Reporter: telemetry.Destination}, "unknown", "default/productpage@v1", false},
	} {
		b := open(t)
		r := ok()
		b.Edge(tc.link).Record(&r)
		g := b.Graph(time.Minute)
		if len(g.Edges) != 1 {
			t.Errorf("%s: got %d edges, want 1", tc.name, len(g.Edges))
			continue
		}
		e := g.Edges[0]
		if e.Source != tc.source || e.Target != tc.target || e.Secure != tc.secure || e.Protocol != "http" {
			t.Errorf("%s: got %s -> %s (%s, secure: %t)", tc.name, e.Source, e.Target, e.Protocol, e.Secure)
		}
		if e.Requests == 0 || e.P50 < 3 || e.P50 > 4 {
			t.Errorf("%s: got %v/s, p50 %v ms", tc.name, e.Requests, e.P50)
		}
	}
}

func TestWhatCountsAsAnError(t *testing.T) {
	for _, tc := range []struct {
		name   string
		link   telemetry.Link
		result telemetry.Result
		want   bool
	}{
		{"200", toReviews(), telemetry.Result{Code: 200, GRPC: -1}, false},
		{"404", toReviews(), telemetry.Result{Code: 404, GRPC: -1}, false},
		{"503", toReviews(), telemetry.Result{Code: 503, GRPC: -1}, true},
		{"no answer", toReviews(), telemetry.Result{GRPC: -1}, true},
		{"gRPC OK", grpc(toReviews()), telemetry.Result{Code: 200}, false},
		{"gRPC not found", grpc(toReviews()), telemetry.Result{Code: 200, GRPC: 5}, false},
		{"gRPC unavailable", grpc(toReviews()), telemetry.Result{Code: 200, GRPC: 14}, true},
	} {
		b := open(t)
		tc.result.Start = time.Now()
		b.Edge(tc.link).Record(&tc.result)
		if got := b.Graph(time.Minute).Edges[0].ErrorRate > 0; got != tc.want {
			t.Errorf("%s: an error: %t, want %t", tc.name, got, tc.want)
		}
	}
}

// Peers say who they are: what they call themselves is short, and no name of anything
// else on the page.
func TestNamesOfNodesAreShortAndLegible(t *testing.T) {
	for said, want := range map[string]string{
		"group\ndefault/reviews":  "x/group\uFFFDdefault/reviews",
		"a\xff\u0085":             "x/a\uFFFD\uFFFD",
		strings.Repeat("x", 1000): "x/" + strings.Repeat("x", 256),
	} {
		b := open(t)
		r := ok()
		b.Edge(telemetry.Link{Reporter: telemetry.Destination, Peer: telemetry.Workload{Service: said, Namespace: "x"}}).Record(&r)
		if e := b.Graph(time.Minute).Edges; len(e) != 1 || e[0].Source != want {
			t.Errorf("%.30q: got %.300q", said, e[0].Source)
		}
	}
}
