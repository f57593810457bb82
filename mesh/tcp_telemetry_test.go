package mesh_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/mesh"
)

const (
	opened   = "istio_tcp_connections_opened_total"
	closed   = "istio_tcp_connections_closed_total"
	sent     = "istio_tcp_sent_bytes_total"
	received = "istio_tcp_received_bytes_total"
)

// The labels of a connection are those of a request, but for its status.
func TestAConnectionIsCountedWithIstiosLabels(t *testing.T) {
	before(t, nil, func(s *scene, a *audience) {
		s.caches(1)
		c, _ := s.dialled("cache:6379")
		if err := ask(c, "hello"); err != nil {
			s.Fatal(err)
		}
		_ = c.Close()
		labels := map[string]string{
			"reporter":        "source",
			"source_workload": "productpage-v1", "source_workload_namespace": "default", "source_principal": "unknown",
			"source_app": "productpage", "source_version": "v1", "source_cluster": "unknown",
			"source_canonical_service": "productpage", "source_canonical_revision": "v1",
			"destination_workload": "cache-a", "destination_workload_namespace": "default", "destination_principal": "unknown",
			"destination_app": "cache", "destination_version": "a", "destination_cluster": "unknown",
			"destination_canonical_service": "cache", "destination_canonical_revision": "a",
			"destination_service": "cache.default.svc.cluster.local", "destination_service_name": "cache", "destination_service_namespace": "default",
			"request_protocol": "tcp", "response_flags": "-", "connection_security_policy": "unknown",
		}
		for metric, want := range map[string]int64{opened: 1, closed: 1, sent: 6, received: 5} {
			a.only(s, metric, want, labels)
		}
		if n := a.requests(s); len(n) > 0 {
			s.Errorf("it was counted as a request, too: %v", n)
		}
	})
}

func TestBytesAreToldWhileAConnectionStands(t *testing.T) {
	before(t, nil, func(s *scene, a *audience) {
		s.caches(1)
		c, _ := s.dialled("cache:6379")
		if err := ask(c, "hello"); err != nil {
			s.Fatal(err)
		}
		s.pass(4 * time.Second)
		wantCounts(s.T, a.series(s, sent), map[string]int64{})
		s.pass(2 * time.Second)
		wantCounts(s.T, a.series(s, sent), map[string]int64{"": 6})
		wantCounts(s.T, a.series(s, closed), map[string]int64{})
		if err := ask(c, "again"); err != nil {
			s.Fatal(err)
		}
		_ = c.Close()
		wantCounts(s.T, a.series(s, sent), map[string]int64{"": 11})
		wantCounts(s.T, a.series(s, received), map[string]int64{"": 10})
	})
}

func TestConnectionsThatAreNotMadeAreCountedWithTheirFlags(t *testing.T) {
	documents := []string{tcpPolicy("cache", "{maxConnections: 1, maxConnectionDuration: 60s}"),
		tcpRoutes("empty", "[{route: [{destination: {host: empty}}]}]")}
	before(t, documents, func(s *scene, a *audience) {
		s.caches(1)
		s.known("empty")
		c, _ := s.dialled("cache:6379")
		for _, address := range []string{"cache:6379", "empty:1", "nowhere:5", "1.2.3.4:5"} {
			if _, _, err := s.dial(address); err == nil {
				s.Fatal("it was made")
			}
		}
		s.pass(2 * time.Minute)
		_ = c.Close()
		for _, metric := range []string{opened, closed} {
			want := map[string]int64{"cache - ": 1, "cache UO ": 1, "empty UH ": 1, "PassthroughCluster UF,URX ": 2}
			if metric == closed {
				delete(want, "cache - ")
				want["cache DT "] = 1
			}
			wantCounts(s.T, a.series(s, metric, "destination_service_name", "response_flags"), want)
		}
	})
}

func TestObserversAndLogsHearOfConnections(t *testing.T) {
	var log strings.Builder
	var heard []mesh.ConnectionInfo
	playWith(t, []string{tcpRoutes("cache", "[{route: [{destination: {host: cache, subset: a}}]}]")}, func(_ *scene, c *mesh.Config) {
		c.Telemetry = newAudience(sdktrace.NeverSample()).config()
		c.Telemetry.AccessLog, c.Telemetry.LogRequests = slog.New(slog.NewTextHandler(&log, nil)), true
		c.Observer.Connection = func(i mesh.ConnectionInfo) { heard = append(heard, i) }
	}, func(s *scene) {
		s.caches(1)
		c, _ := s.dialled("cache:6379")
		if got := s.mesh.Underway(); len(got) != 1 || got[0].Protocol != "tcp" || got[0].Endpoint != "10.9.0.1:6379" || got[0].BytesSent != 1 {
			s.Errorf("under way: %+v", got)
		}
		s.pass(time.Second)
		_ = c.Close()
		if got := s.mesh.Underway(); len(got) != 0 {
			s.Errorf("under way: %+v", got)
		}
		s.down("10.9.0.1:6379")
		_, _, _ = s.dial("cache:6379")
		if len(heard) != 2 {
			s.Fatalf("heard %+v", heard)
		}
		i, e := heard[0], heard[1]
		if i.Rule != "default/tcp-cache" || i.Route != "spec.tcp[0]" || i.Subset != "a" || i.Duration != time.Second || i.BytesSent != 1 || i.Err != nil || i.Flags != "-" {
			s.Errorf("got %+v", i)
		}
		if e.Flags != "UF,URX" || e.Err == nil || e.Endpoint != "10.9.0.1:6379" {
			s.Errorf("got %+v", e)
		}
		lines := strings.Split(log.String(), "\n")
		for i, want := range []string{
			"protocol=- response_code=0 response_flags=- | bytes_received=0 bytes_sent=1 duration=1000 | upstream_host=10.9.0.1:6379 upstream_cluster=outbound|6379|a|cache.default.svc.cluster.local | route_name=spec.tcp[0]",
			"response_flags=UF,URX | connection refused | bytes_sent=0",
		} {
			for _, part := range strings.Split(want, " | ") {
				if !strings.Contains(lines[i], part) {
					s.Errorf("line %q has no %q", lines[i], part)
				}
			}
		}
	})
}

func TestARuleSaysHowOftenBytesAreTold(t *testing.T) {
	interval := func(d string) string {
		return "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {name: t}\nspec: {metrics: [{reportingInterval: " + d + "}]}\n"
	}
	before(t, []string{interval("60s")}, func(s *scene, a *audience) {
		s.caches(1)
		c, _ := s.dialled("cache:6379")
		s.pass(59 * time.Second)
		wantCounts(s.T, a.series(s, sent), map[string]int64{})
		s.pass(2 * time.Second)
		wantCounts(s.T, a.series(s, sent), map[string]int64{"": 1})
		s.rule(interval("10s")) // from the next round on
		if err := ask(c, "x"); err != nil {
			s.Fatal(err)
		}
		s.pass(60 * time.Second)
		wantCounts(s.T, a.series(s, sent), map[string]int64{"": 2})
		if err := ask(c, "x"); err != nil {
			s.Fatal(err)
		}
		s.pass(10 * time.Second)
		wantCounts(s.T, a.series(s, sent), map[string]int64{"": 3})
		_ = c.Close()
	})
}

func TestTheGraphShowsConnections(t *testing.T) {
	before(t, nil, func(s *scene, _ *audience) {
		s.caches(1)
		c, _ := s.dialled("cache:6379")
		s.pass(6 * time.Second)
		edges := s.mesh.Graph(10 * time.Second).Edges
		if len(edges) != 1 || edges[0].Protocol != "tcp" || edges[0].Source != "default/productpage@v1" || edges[0].Target != "default/cache@a" ||
			edges[0].Connections != 1 || edges[0].BytesSent <= 0 {
			s.Errorf("got %+v", edges)
		}
		_ = c.Close()
		if edges := s.mesh.Graph(10 * time.Second).Edges; len(edges) != 1 || edges[0].Connections != 0 {
			s.Errorf("closed: got %+v", edges)
		}
	})
}
