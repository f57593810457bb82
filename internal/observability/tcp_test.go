package observability_test

import (
	"testing"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// The same dashboards' queries of TCP connections, which are for who carries them:
// the mesh itself carries HTTP and gRPC.
var tcpQueries = []string{
	`sum(irate(istio_tcp_received_bytes_total{` + client + `, destination_service=~"mongodb.default.svc.cluster.local"}[1m]))`,
	`sum(irate(istio_tcp_sent_bytes_total{` + client + `, destination_service=~"mongodb.default.svc.cluster.local"}[1m])) ` + bySource + `)`,
	`round(sum(irate(istio_tcp_sent_bytes_total{` + notMutual + `, reporter="source", ` + fromWorkload + `, destination_service=~"mongodb.*"}[1m])) ` + byTarget + `), 0.001)`,
	`sum(rate(istio_tcp_sent_bytes_total{reporter="source",source_workload_namespace="default"} [60s])) by (` + kialiNodes + `,response_flags)`,
}

func TestPrometheusAnswersTheDashboardsForTCP(t *testing.T) {
	s := new(sdks)
	page, db := s.workload(t, "productpage"), s.workload(t, "mongodb")
	out := page.Edge(telemetry.Link{Protocol: telemetry.TCP, Peer: workload("mongodb"), Service: mongodb, Principal: idOf("productpage")})
	in := db.Edge(telemetry.Link{Protocol: telemetry.TCP, Reporter: telemetry.Destination, Peer: workload("productpage"), Service: mongodb, Principal: idOf("mongodb")})
	busy(t, func() {
		for _, e := range []*telemetry.Edge{out, in} {
			e.Opened(0)
			e.Transferred(1000, 100, 0)
			e.Closed(0)
		}
	})
	p := runPrometheus(t, s.targets)
	for _, q := range tcpQueries {
		p.await(t, q, hasData)
	}
}

var mongodb = telemetry.Service{Host: "mongodb.default.svc.cluster.local", Name: "mongodb", Namespace: "default"}

func idOf(service string) string { return "spiffe://cluster.local/ns/default/sa/" + service }

func workload(service string) telemetry.Workload {
	w := telemetry.WorkloadOf(service+"-v1", "default", labelsOf(service, "v1"))
	w.Principal = idOf(service)
	return w
}

// workload tells of itself without a mesh.
func (s *sdks) workload(t *testing.T, service string) *telemetry.Telemetry {
	t.Helper()
	c := s.sdk(t, service, "v1")
	c.Local = workload(service)
	tm, err := telemetry.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tm.Close(); err != nil {
			t.Error(err)
		}
	})
	return tm
}
