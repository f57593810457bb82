package observability_test

import (
	"io"
	"net"
	"slices"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
)

// The same dashboards' queries of TCP connections, as for those that productpage
// makes to mongodb.
const (
	toMongo         = `destination_service=~"mongodb.default.svc.cluster.local"`
	toMongoWorkload = `destination_workload_namespace=~"default",destination_workload=~"mongodb-v1"`
	fromDefault     = `source_workload_namespace=~"default"`
	inTheMesh       = `reporter=~"source|waypoint"`
)

var tcpQueries = []string{
	// Service dashboard.
	`sum(irate(istio_tcp_received_bytes_total{` + client + `, ` + toMongo + `}[1m]))`,
	`sum(irate(istio_tcp_sent_bytes_total{` + client + `, ` + toMongo + `}[1m]))`,
	`round(sum(irate(istio_tcp_received_bytes_total{` + mutual + `, ` + server + `, ` + toMongo + `, ` + fromDefault + `}[1m])) ` + bySource + `), 0.001)`,
	`round(sum(irate(istio_tcp_sent_bytes_total{` + notMutual + `, ` + client + `, ` + toMongo + `, ` + fromWorkload + `}[1m])) ` + bySource + `), 0.001)`,
	`round(sum(irate(istio_tcp_received_bytes_total{reporter="destination", ` + mutual + `, ` + toMongo + `, ` + toMongoWorkload + `}[1m])) by (destination_workload, destination_workload_namespace), 0.001)`,

	// Workload dashboard.
	`sum(irate(istio_tcp_received_bytes_total{` + server + `, ` + toMongoWorkload + `}[1m]))`,
	`round(sum(irate(istio_tcp_sent_bytes_total{` + mutual + `, ` + server + `, ` + toMongoWorkload + `, ` + fromDefault + `}[1m])) ` + bySource + `), 0.001)`,
	`round(sum(irate(istio_tcp_sent_bytes_total{` + notMutual + `, reporter="source", ` + fromWorkload + `, destination_service=~"mongodb.*"}[1m])) ` + byTarget + `), 0.001)`,
	`round(sum(irate(istio_tcp_received_bytes_total{` + notMutual + `, reporter="source", ` + fromWorkload + `, destination_service=~"mongodb.*"}[1m])) ` + byTarget + `), 0.001)`,

	// Mesh dashboard.
	`label_join(sum(rate(istio_tcp_received_bytes_total{` + inTheMesh + `}[1m])) by (destination_workload, destination_workload_namespace, destination_service), "destination_workload_var", ".", "destination_workload", "destination_workload_namespace")`,
	`label_join(sum(rate(istio_tcp_sent_bytes_total{` + inTheMesh + `}[1m])) by (destination_workload, destination_workload_namespace, destination_service), "destination_workload_var", ".", "destination_workload", "destination_workload_namespace")`,

	// Kiali.
	`sum(rate(istio_tcp_sent_bytes_total{reporter="source",source_workload_namespace="default"} [60s])) by (` + kialiNodes + `,response_flags)`,
	`sum(rate(istio_tcp_received_bytes_total{reporter="source",source_workload_namespace="default"} [60s])) by (` + kialiNodes + `,response_flags)`,
	`sum(rate(istio_tcp_sent_bytes_total{reporter="destination",destination_service_namespace="default"} [60s])) by (` + kialiNodes + `,response_flags)`,
	`sum(rate(istio_tcp_sent_bytes_total{reporter="destination",source_workload_namespace="default"}[60s])) by (` + kialiSecurity + `) > 0`,
	`sum(rate(istio_tcp_connections_opened_total{reporter="source",destination_service_name="mongodb"}[60s]))`,
	`sum(rate(istio_tcp_connections_closed_total{reporter="destination",destination_service_name="mongodb"}[60s]))`,
	`sum(rate(istio_tcp_connections_closed_total{reporter="source",response_flags="UF,URX"}[60s]))`,
}

func TestPrometheusAnswersTheDashboardsForTCP(t *testing.T) {
	s := runTCP(t)
	p := runPrometheus(t, s.targets)
	for _, q := range tcpQueries {
		p.await(t, q, hasData)
	}
	// Both ends tell of the same bytes, and what stands is told of: one connection does.
	p.await(t, `sum(istio_tcp_connections_opened_total{reporter="source",destination_service_name="mongodb"}) - sum(istio_tcp_connections_closed_total{reporter="source",destination_service_name="mongodb"})`, func(got []sample) bool {
		return slices.ContainsFunc(got, func(s sample) bool { return s.value >= 1 })
	})
}

// runTCP starts a fleet in which productpage asks mongodb again and again, on
// connections of their own and on one that stands, and somebody who is not there.
func runTCP(t *testing.T) *sdks {
	t.Helper()
	f := newMixed(t, new(sdks))
	f.announce(t, "mongodb", f.mongodb(t))
	f.announce(t, "gone", discovery.Endpoint{Address: freeAddress(t)})
	page := f.join(t, "productpage")
	standing, err := page.DialContext(t.Context(), "tcp", "mongodb:27017")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = standing.Close() })
	busy(t, func() {
		ask(t, standing)
		if c, err := page.DialContext(t.Context(), "tcp", "mongodb:27017"); err == nil {
			ask(t, c)
			_ = c.Close()
		}
		if _, err := page.DialContext(t.Context(), "tcp", "gone:27017"); err == nil {
			t.Error("somebody was there")
		}
	})
	return f.sdks
}

func ask(t *testing.T, c net.Conn) {
	const question = "find all of them"
	if _, err := io.WriteString(c, question); err != nil {
		t.Error(err)
		return
	}
	if _, err := io.ReadFull(c, make([]byte, len(question))); err != nil {
		t.Error(err)
	}
}

// mongodb says what it hears.
func (f *mixed) mongodb(t *testing.T) discovery.Endpoint {
	t.Helper()
	m := f.join(t, "mongodb")
	lis, err := m.ListenTCP("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	go func() {
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return endpoint(m, lis, "mongodb")
}
