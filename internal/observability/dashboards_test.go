package observability_test

import (
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The queries of Istio's service and workload dashboards, with the values that a
// reader chooses for their variables.
// https://github.com/istio/istio/tree/master/manifests/addons/dashboards
const (
	toService    = `destination_service=~"reviews.default.svc.cluster.local"`
	toWorkload   = `destination_workload_namespace=~"default",destination_workload=~"reviews-v2"`
	fromWorkload = `source_workload=~"productpage-v1",source_workload_namespace=~"default"`
	mutual       = `connection_security_policy="mutual_tls"`
	notMutual    = `connection_security_policy!="mutual_tls"`
	bySource     = `by (source_workload, source_workload_namespace`
	byTarget     = `by (destination_service`
	server       = `reporter=~"destination"`
	client       = `reporter=~"source"`
)

// dashboardQueries is each panel's expression once; percentiles stand for all.
var dashboardQueries = []string{
	// Variables.
	`sum(istio_requests_total{}) by (destination_service) or sum(istio_tcp_sent_bytes_total{}) by (destination_service)`,
	`sum(istio_requests_total) by (reporter)`,
	`sum(istio_requests_total{` + server + `, destination_service="reviews.default.svc.cluster.local"}) by (source_cluster)`,
	`sum(istio_requests_total{` + server + `, destination_service="reviews.default.svc.cluster.local"}) by (source_workload_namespace)`,
	`sum(istio_requests_total{` + server + `, ` + toService + `, source_workload_namespace=~"default"}) by (source_workload)`,
	`sum(istio_requests_total{reporter="destination", ` + toService + `}) by (destination_workload_namespace)`,
	`sum(istio_requests_total{reporter="destination", ` + toService + `, destination_workload_namespace=~"default"}) by (destination_workload)`,
	`(sum(istio_requests_total{reporter=~"source|waypoint", source_workload="productpage-v1"}) by (destination_service)) or (sum(istio_tcp_sent_bytes_total{reporter=~"source|waypoint", source_workload="productpage-v1"}) by (destination_service))`,

	// Service dashboard: general.
	`round(sum(irate(istio_requests_total{` + client + `,` + toService + `}[5m])), 0.001)`,
	`sum(irate(istio_requests_total{` + client + `,` + toService + `,response_code!~"5.*"}[5m])) / sum(irate(istio_requests_total{` + client + `,` + toService + `}[5m]))`,
	`(histogram_quantile(0.99, sum(irate(istio_request_duration_milliseconds_bucket{` + client + `,` + toService + `}[1m])) by (le)) / 1000) or histogram_quantile(0.99, sum(irate(istio_request_duration_seconds_bucket{` + client + `,` + toService + `}[1m])) by (le))`,
	`round(sum(irate(istio_requests_total{` + server + `,` + toService + `}[5m])), 0.001)`,

	// Client workloads.
	`round(sum(irate(istio_requests_total{` + mutual + `,` + toService + `,` + server + `,` + fromWorkload + `}[5m])) ` + bySource + `, response_code), 0.001)`,
	`round(sum(irate(istio_requests_total{` + notMutual + `, ` + client + `, ` + toService + `, ` + fromWorkload + `}[5m])) ` + bySource + `, response_code), 0.001)`,
	`sum(irate(istio_requests_total{` + server + `, ` + mutual + `, ` + toService + `,response_code!~"5.*", ` + fromWorkload + `}[5m])) ` + bySource + `) / sum(irate(istio_requests_total{` + server + `, ` + mutual + `, ` + toService + `, ` + fromWorkload + `}[5m])) ` + bySource + `)`,
	`(histogram_quantile(0.50, sum(irate(istio_request_duration_milliseconds_bucket{` + server + `, ` + mutual + `, ` + toService + `, ` + fromWorkload + `}[1m])) ` + bySource + `, le)) / 1000) or histogram_quantile(0.50, sum(irate(istio_request_duration_seconds_bucket{` + server + `, ` + mutual + `, ` + toService + `, ` + fromWorkload + `}[1m])) ` + bySource + `, le))`,
	`histogram_quantile(0.95, sum(irate(istio_request_bytes_bucket{` + server + `, ` + mutual + `, ` + toService + `, ` + fromWorkload + `}[1m])) ` + bySource + `, le))`,
	`histogram_quantile(0.95, sum(irate(istio_response_bytes_bucket{` + server + `, ` + mutual + `, ` + toService + `, ` + fromWorkload + `}[1m])) ` + bySource + `, le))`,

	// Service workloads.
	`round(sum(irate(istio_requests_total{` + mutual + `,` + toService + `,reporter="destination",` + toWorkload + `}[5m])) by (destination_workload, destination_workload_namespace, response_code), 0.001)`,
	`(histogram_quantile(0.90, sum(irate(istio_request_duration_milliseconds_bucket{reporter="destination", ` + mutual + `, ` + toService + `, ` + toWorkload + `}[1m])) by (destination_workload, destination_workload_namespace, le)) / 1000)`,

	// Workload dashboard: inbound.
	`round(sum(irate(istio_requests_total{` + server + `,` + toWorkload + `}[5m])), 0.001)`,
	`sum(irate(istio_requests_total{` + server + `,` + toWorkload + `,response_code!~"5.*"}[5m])) / sum(irate(istio_requests_total{` + server + `,` + toWorkload + `}[5m]))`,
	`(histogram_quantile(0.50, sum(irate(istio_request_duration_milliseconds_bucket{` + server + `,` + toWorkload + `}[1m])) by (le)) / 1000)`,
	`round(sum(irate(istio_requests_total{` + mutual + `, ` + toWorkload + `, ` + server + `, ` + fromWorkload + `}[5m])) ` + bySource + `, response_code), 0.001)`,
	`histogram_quantile(0.99, sum(irate(istio_response_bytes_bucket{` + server + `, ` + mutual + `, ` + toWorkload + `, ` + fromWorkload + `}[1m])) ` + bySource + `, le))`,

	// Workload dashboard: outbound.
	`round(sum(irate(istio_requests_total{` + notMutual + `, reporter="source", ` + fromWorkload + `, destination_service=~"reviews.*"}[5m])) ` + byTarget + `, response_code), 0.001)`,
	`sum(irate(istio_requests_total{` + notMutual + `, reporter="source",response_code!~"5.*", ` + fromWorkload + `, destination_service=~"reviews.*"}[5m])) ` + byTarget + `) / sum(irate(istio_requests_total{` + notMutual + `, reporter="source", ` + fromWorkload + `, destination_service=~"reviews.*"}[5m])) ` + byTarget + `)`,
	`(histogram_quantile(0.50, sum(irate(istio_request_duration_milliseconds_bucket{` + notMutual + `, reporter="source", ` + fromWorkload + `, destination_service=~"reviews.*"}[1m])) by (destination_service, le)) / 1000)`,
	`histogram_quantile(0.50, sum(irate(istio_request_bytes_bucket{` + notMutual + `, reporter="source", ` + fromWorkload + `, destination_service=~"reviews.*"}[1m])) by (destination_service, le))`,

	// Mesh dashboard.
	`round(sum(rate(istio_requests_total{reporter=~"source|waypoint"}[1m])), 0.01)`,
	`label_join(sum(rate(istio_requests_total{reporter=~"source|waypoint"}[1m])) by (destination_workload, destination_workload_namespace, destination_service), "destination_workload_var", ".", "destination_workload", "destination_workload_namespace")`,
	`label_join(histogram_quantile(0.5, sum(rate(istio_request_duration_milliseconds_bucket{reporter=~"source|waypoint"}[1m])) by (le, destination_workload, destination_workload_namespace)), "destination_workload_var", ".", "destination_workload", "destination_workload_namespace")`,
	`sum(istio_build) by (component, tag)`,
}

// The queries by which Kiali draws its graph of the namespace default.
// https://github.com/kiali/kiali/tree/master/graph/telemetry/istio
const (
	kialiNodes    = `source_cluster,source_workload_namespace,source_workload,source_canonical_service,source_canonical_revision,destination_cluster,destination_service_namespace,destination_service,destination_service_name,destination_workload_namespace,destination_workload,destination_canonical_service,destination_canonical_revision`
	kialiGroup    = kialiNodes + `,request_protocol,response_code,grpc_response_status,response_flags`
	kialiSecurity = kialiNodes + `,source_principal,destination_principal,connection_security_policy`
)

var kialiQueries = []string{
	`sum(rate(istio_requests_total{reporter="source",source_workload_namespace="default"} [60s])) by (` + kialiGroup + `)`,
	`sum(rate(istio_requests_total{reporter="source",source_workload_namespace!="other",source_workload!="unknown",destination_service_namespace="default"} [60s])) by (` + kialiGroup + `)`,
	`histogram_quantile(0.95, sum(rate(istio_request_duration_milliseconds_bucket{reporter="source",source_workload_namespace="default",response_code=~"2[0-9]{2}$"}[60s])) by (le,` + kialiNodes + `)) > 0`,
	`sum(rate(istio_request_duration_milliseconds_sum{reporter="source",source_workload_namespace="default"}[60s])) by (` + kialiNodes + `) / sum(rate(istio_request_duration_milliseconds_count{reporter="source",source_workload_namespace="default"}[60s])) by (` + kialiNodes + `) > 0`,
	`sum(rate(istio_request_bytes_sum{reporter="source",source_workload_namespace="default"}[60s])) by (` + kialiNodes + `) > 0`,
	`sum(rate(istio_response_bytes_sum{reporter="destination",source_workload_namespace="default"}[60s])) by (` + kialiNodes + `) > 0`,
	`(sum(rate(istio_requests_total{reporter="destination",source_workload_namespace="default"}[60s])) by (` + kialiSecurity + `) > 0) OR (sum(rate(istio_tcp_sent_bytes_total{reporter="destination",source_workload_namespace="default"}[60s])) by (` + kialiSecurity + `) > 0)`,
}

// ownQueries are those of the mesh's own metrics: what is more than zero in a fleet
// that is busy, and then the others, of which there must be a series.
var ownQueries = []string{
	`inmesh_retries_total{destination_service="details.default.svc.cluster.local", subset=""}`,
	`inmesh_requests_limit`, `inmesh_connections_limit`, `inmesh_pending_limit`, `inmesh_hosts{state="closed"}`,
	`inmesh_rules_info{version!=""}`, `inmesh_rules_objects`, `inmesh_rules_reloads_total{result="applied"}`, `inmesh_rules_changed_timestamp_seconds`,
	`inmesh_discovery_age_seconds`, `inmesh_certificate_expiry_timestamp_seconds - time()`,

	`count(inmesh_retries_refused_total)`, `count(inmesh_retries_active)`, `count(inmesh_requests_active)`, `count(inmesh_connections_active)`,
	`count(inmesh_pending_active)`, `count(inmesh_overflows_total)`, `count(inmesh_ejections_total)`, `count(inmesh_hosts{state="open"})`,
	`count(inmesh_mirror_drops_total)`, `count(inmesh_rules_rejected)`, `count(inmesh_rules_reloads_total{result="rejected"})`, `count(inmesh_topology_dropped_total)`,
}

// TestPrometheusAnswersTheDashboards: of the demo, each query of the dashboards, of
// Kiali and of the mesh's own metrics has an answer.
func TestPrometheusAnswersTheDashboards(t *testing.T) {
	s := new(sdks)
	demo(t, s)
	p := runPrometheus(t, s.targets)
	for _, q := range slices.Concat(dashboardQueries, kialiQueries, ownQueries) {
		p.await(t, q, hasData)
	}
}

// hasData says that there is a number above zero. Beside it may be what is rare: an
// outcome that was seen once has a rate of zero, and no percentiles, from then on.
func hasData(got []sample) bool {
	return slices.ContainsFunc(got, func(s sample) bool { return s.value > 0 && !math.IsInf(s.value, 0) })
}

// Kiali leaves out series that lack a label; a label without a value is none to
// Prometheus, so that grpc_response_status alone may be missing.
func TestKialiFindsAllLabels(t *testing.T) {
	s := new(sdks)
	demo(t, s)
	p := runPrometheus(t, s.targets)
	p.await(t, kialiQueries[0], func(got []sample) bool {
		for _, s := range got {
			for _, name := range strings.Split(kialiGroup, ",") {
				if s.labels[name] == "" && name != "grpc_response_status" {
					t.Fatalf("no label %s in %v", name, s.labels)
				}
			}
		}
		return drawn(got)
	})
}

// drawn says that all calls of the demo are there, by its rules as they stand.
func drawn(got []sample) bool {
	edges := map[string]bool{}
	for _, s := range got {
		edges[s.labels["source_workload"]+" "+s.labels["destination_workload"]] = true
	}
	return edges["productpage-v1 details-v1"] && edges["productpage-v1 reviews-v1"] &&
		edges["productpage-v1 reviews-v2"] && edges["reviews-v2 ratings-v1"]
}

// TestPromtoolFindsNothingWrong: with any process of the demo, nor with gRPC's.
func TestPromtoolFindsNothingWrong(t *testing.T) {
	s := new(sdks)
	demo(t, s)
	other, page := runMixed(t, nil)
	crowd(t, page, "", flaky)
	for _, at := range slices.Concat(s.targets, other.targets) {
		metric, want := toldBy(at)
		cmd := exec.Command(find(t, "promtool"), "check", "metrics")
		cmd.Stdin = strings.NewReader(awaitExposition(t, at.address, metric))
		out, _ := cmd.CombinedOutput() // it fails for what it finds, which is looked at
		if got := strings.TrimSpace(string(out)); got != want {
			t.Errorf("%s %s: promtool: got %s, want %s", at.service, at.version, got, want)
		}
	}
}

// toldBy is a metric that a process tells in the end, and what promtool says then:
// that Istio counts milliseconds, which Prometheus' conventions would have as
// seconds. By the demo's rules nobody calls reviews v3, which tells of itself alone.
func toldBy(at target) (metric, lint string) {
	const durations = "istio_request_duration_milliseconds"
	if at.version == "v3" {
		return "inmesh_rules_info", ""
	}
	return durations, durations + ` use base unit "seconds" instead of "milliseconds"`
}
