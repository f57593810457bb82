package telemetry_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// outbound are the labels of a plain good request from productpage to reviews.
func outbound() map[string]string {
	return map[string]string{
		"reporter":        "source",
		"source_workload": "productpage-v1", "source_workload_namespace": "default", "source_principal": ownPrincipal,
		"source_app": "productpage", "source_version": "v1", "source_cluster": "unknown",
		"source_canonical_service": "productpage", "source_canonical_revision": "v1",
		"destination_workload": "reviews-v2", "destination_workload_namespace": "default",
		"destination_principal": "spiffe://cluster.local/ns/default/sa/bookinfo-reviews",
		"destination_app":       "reviews", "destination_version": "v2", "destination_cluster": "unknown",
		"destination_canonical_service": "reviews", "destination_canonical_revision": "v2",
		"destination_service": "reviews.default.svc.cluster.local", "destination_service_name": "reviews", "destination_service_namespace": "default",
		"request_protocol": "http", "response_code": "200", "grpc_response_status": "", "response_flags": "-",
		"connection_security_policy": "unknown",
	}
}

// inbound are those of the same request as reviews' server reports it, which
// knows of its peer what the certificate proves.
func inbound() map[string]string {
	l := outbound()
	maps.Copy(l, map[string]string{
		"reporter": "destination", "connection_security_policy": "mutual_tls",
		"source_workload": "unknown", "source_app": "unknown", "source_version": "unknown",
		"source_canonical_service": "unknown", "source_canonical_revision": "latest",
	})
	return l
}

// nobody is a peer of which nothing is known.
func nobody(l map[string]string, end string) {
	for _, name := range []string{"workload", "workload_namespace", "principal", "app", "version", "canonical_service"} {
		l[end+"_"+name] = "unknown"
	}
	l[end+"_canonical_revision"] = "latest"
}

// TestLabelsAreIstios compares all labels with what Istio's proxy says:
// istio_stats.cc, and the table of its documentation,
// https://istio.io/latest/docs/reference/config/metrics/
func TestLabelsAreIstios(t *testing.T) {
	unreached := telemetry.Link{Service: reviewsService}
	served := telemetry.Link{Reporter: telemetry.Destination, Peer: telemetry.Workload{Principal: ownPrincipal}, Principal: reviews.Principal, Service: reviewsService}
	for _, tc := range []struct {
		name   string
		link   telemetry.Link
		result telemetry.Result
		change func(l map[string]string)
	}{
		{"a good answer", toReviews(), telemetry.Result{Code: 200, GRPC: -1}, func(map[string]string) {}},
		{"an error from upstream", toReviews(), telemetry.Result{Code: 500, GRPC: -1}, func(l map[string]string) { l["response_code"] = "500" }},
		{"retries exhausted", toReviews(), telemetry.Result{Code: 503, GRPC: -1, Flags: telemetry.UpstreamConnectFailure | telemetry.RetriesExhausted},
			func(l map[string]string) { l["response_code"], l["response_flags"] = "503", "UF,URX" }},
		{"the caller is gone", toReviews(), telemetry.Result{GRPC: -1, Flags: telemetry.DownstreamGone},
			func(l map[string]string) { l["response_code"], l["response_flags"] = "0", "DC" }},
		{"a timeout", toReviews(), telemetry.Result{Code: 504, GRPC: -1, Flags: telemetry.UpstreamTimeout},
			func(l map[string]string) { l["response_code"], l["response_flags"] = "504", "UT" }},
		{"a fault after a delay", unreached, telemetry.Result{Code: 418, GRPC: -1, Flags: telemetry.DelayInjected | telemetry.FaultInjected}, func(l map[string]string) {
			nobody(l, "destination")
			l["source_principal"], l["response_code"], l["response_flags"] = "unknown", "418", "DI,FI"
		}},
		{"no healthy endpoint", unreached, telemetry.Result{Code: 503, GRPC: -1, Flags: telemetry.NoHealthyUpstream}, func(l map[string]string) {
			nobody(l, "destination")
			l["source_principal"], l["response_code"], l["response_flags"] = "unknown", "503", "UH"
		}},
		{"an open circuit", unreached, telemetry.Result{Code: 503, GRPC: -1, Flags: telemetry.UpstreamOverflow}, func(l map[string]string) {
			nobody(l, "destination")
			l["source_principal"], l["response_code"], l["response_flags"] = "unknown", "503", "UO"
		}},
		{"a host that nobody knows", telemetry.Link{Service: telemetry.Service{Host: "example.com:8443", Name: telemetry.Passthrough}}, telemetry.Result{Code: 200, GRPC: -1}, func(l map[string]string) {
			nobody(l, "destination")
			l["source_principal"] = "unknown"
			l["destination_service"], l["destination_service_name"], l["destination_service_namespace"] = "example.com:8443", "PassthroughCluster", "unknown"
		}},
		{"no route", telemetry.Link{}, telemetry.Result{Code: 404, GRPC: -1, Flags: telemetry.NoRoute}, func(l map[string]string) {
			nobody(l, "destination")
			l["source_principal"], l["response_code"], l["response_flags"] = "unknown", "404", "NR"
			l["destination_service"], l["destination_service_name"], l["destination_service_namespace"] = "unknown", "unknown", "unknown"
		}},
		{"plaintext", telemetry.Link{Peer: principal(reviews, ""), Service: reviewsService}, telemetry.Result{Code: 200, GRPC: -1},
			func(l map[string]string) { l["source_principal"], l["destination_principal"] = "unknown", "unknown" }},
		{"served over mutual TLS", served, telemetry.Result{Code: 200, GRPC: -1}, func(l map[string]string) { maps.Copy(l, inbound()) }},
		{"served in plaintext", telemetry.Link{Reporter: telemetry.Destination, Service: reviewsService}, telemetry.Result{Code: 200, GRPC: -1}, func(l map[string]string) {
			maps.Copy(l, inbound())
			nobody(l, "source")
			l["destination_principal"], l["connection_security_policy"] = "unknown", "none"
		}},
		{"served without a known service", telemetry.Link{Reporter: telemetry.Destination}, telemetry.Result{Code: 403, GRPC: -1}, func(l map[string]string) {
			maps.Copy(l, inbound())
			nobody(l, "source")
			l["destination_principal"], l["connection_security_policy"], l["response_code"] = "unknown", "none", "403"
			l["destination_service"] = "reviews"
		}},
		{"gRPC", grpc(toReviews()), telemetry.Result{Code: 200, GRPC: 14}, func(l map[string]string) { l["request_protocol"], l["grpc_response_status"] = "grpc", "14" }},
		{"gRPC without a status", grpc(toReviews()), telemetry.Result{GRPC: -1, Flags: telemetry.DownstreamGone}, func(l map[string]string) {
			l["request_protocol"], l["response_code"], l["response_flags"] = "grpc", "0", "DC"
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := open(t, func(c *telemetry.Config) {
				if tc.link.Reporter == telemetry.Destination {
					c.Local = principal(reviews, "")
				}
			})
			b.Edge(tc.link).Record(&tc.result)
			want := outbound()
			tc.change(want)
			points := b.counts(t, "istio_requests_total")
			if len(points) != 1 || points[0].Value != 1 {
				t.Fatalf("got %v, want one point of 1", points)
			}
			sameLabels(t, labels(points[0].Attributes), want)
		})
	}
}

func grpc(l telemetry.Link) telemetry.Link {
	l.Protocol = telemetry.GRPC
	return l
}

func TestTCPLabelsLackTheResponse(t *testing.T) {
	b := open(t)
	l := toReviews()
	l.Protocol = telemetry.TCP
	e := b.Edge(l)
	e.Opened(0)
	e.Transferred(10, 20, 0)
	e.Closed(0)
	want := outbound()
	want["request_protocol"] = "tcp"
	delete(want, "response_code")
	delete(want, "grpc_response_status")
	for name, n := range map[string]int64{
		"istio_tcp_connections_opened_total": 1, "istio_tcp_connections_closed_total": 1,
		"istio_tcp_sent_bytes_total": 10, "istio_tcp_received_bytes_total": 20,
	} {
		points := b.counts(t, name)
		if len(points) != 1 || points[0].Value != n {
			t.Errorf("%s: got %v, want one point of %d", name, points, n)
			continue
		}
		sameLabels(t, labels(points[0].Attributes), want)
	}
	if n := b.total(t, "istio_requests_total"); n != 0 {
		t.Errorf("istio_requests_total: got %d, want none of TCP", n)
	}
}

func TestCanonicalNames(t *testing.T) {
	for _, tc := range []struct {
		name              string
		labels            map[string]string
		service, revision string
	}{
		{"nothing said", nil, "reviews-v1", ""},
		{"app and version", map[string]string{"app": "reviews", "version": "v1"}, "reviews", "v1"},
		{"Kubernetes' own first", map[string]string{"app": "a", "version": "b", "app.kubernetes.io/name": "reviews", "app.kubernetes.io/version": "v2"}, "reviews", "v2"},
		{"Istio's own before all", map[string]string{"app": "a", "app.kubernetes.io/name": "b", "service.istio.io/canonical-name": "reviews", "service.istio.io/canonical-revision": "v3"}, "reviews", "v3"},
	} {
		w := telemetry.WorkloadOf("reviews-v1", "default", tc.labels)
		if w.Service != tc.service || w.Revision != tc.revision {
			t.Errorf("%s: got %s, %s, want %s, %s", tc.name, w.Service, w.Revision, tc.service, tc.revision)
		}
	}
}

func TestFlagsAreEnvoys(t *testing.T) {
	for flags, want := range map[telemetry.Flags]string{
		0: "-", 0x2: "UH", 0x20 | 0x8000: "UF,URX", 0x200 | 0x400: "DI,FI", 0x800000 | 0x4: "UT,UPE", 0x1000000: "NC", 0x10000000: "DR", 0x1000: "UAEX", 0x800: "RL",
	} {
		if got := flags.String(); got != want {
			t.Errorf("%#x: got %s, want %s", uint32(flags), got, want)
		}
	}
}

// One label that is no UTF-8 would keep Prometheus from all metrics.
func TestLabelsAreShortAndUTF8(t *testing.T) {
	b := open(t)
	for host, want := range map[string]string{"a\xffb": "a\uFFFDb", strings.Repeat("x", 1000): strings.Repeat("x", 256), strings.Repeat("\u00e9", 300)[1:]: "\uFFFD" + strings.Repeat("\u00e9", 127) + "\uFFFD"} {
		b.Edge(telemetry.Link{Service: telemetry.Service{Host: host, Name: telemetry.Passthrough}}).Record(&telemetry.Result{Code: 200})
		found := false
		for _, p := range b.counts(t, "istio_requests_total") {
			found = found || labels(p.Attributes)["destination_service"] == want
		}
		if !found {
			t.Errorf("%.10q: no label %.10q", host, want)
		}
	}
}
