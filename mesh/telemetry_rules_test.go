package mesh_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/retry"
)

func telemetryOf(spec string) string {
	return "{apiVersion: telemetry.istio.io/v1, kind: Telemetry, metadata: {name: told, namespace: default}, spec: " + spec + "}"
}

// Telemetry resources come into force and go as other rules do.
func TestTelemetryResourcesAreObeyed(t *testing.T) {
	before(t, []string{unretried("reviews")}, func(s *scene, a *audience) {
		s.start("reviews", "r")
		s.get("http://reviews/")
		s.rule(unretried("reviews"), telemetryOf(`{metrics: [{overrides: [{match: {metric: REQUEST_COUNT, mode: CLIENT},
			tagOverrides: {method: {value: request.method}, source_cluster: {operation: REMOVE}}}]}], tracing: [{disableSpanReporting: true}]}`))
		s.get("http://reviews/")
		s.rule(unretried("reviews"))
		s.get("http://reviews/")
		wantCounts(t, a.outcomes(t, "method", "source_cluster"), map[string]int64{" unknown": 2, "GET ": 1})
		if n := len(a.recorder.Ended()); n != 4 {
			t.Errorf("got %d spans, want a call and a try for the first and the last request", n)
		}
	})
}

func TestATelemetryThatCannotBeObeyedIsRefused(t *testing.T) {
	bad := telemetryOf(`{accessLogging: [{filter: {expression: "request.path.matches('a"}}]}`)
	_, err := mesh.New(context.Background(), mesh.Config{Rules: rules.Static(bad)})
	var faults rules.Faults
	if !errors.As(err, &faults) || faults[0].Kind != "Telemetry" || faults[0].Field != "spec.accessLogging[0].filter.expression" {
		t.Errorf("got %v, want the field's fault", err)
	}
}

// logged plays a scenario of a mesh that writes an access log, and returns its lines.
func logged(t *testing.T, all bool, documents []string, run func(*scene)) []map[string]any {
	t.Helper()
	var log bytes.Buffer
	playWith(t, documents, func(_ *scene, c *mesh.Config) {
		c.Telemetry.AccessLog, c.Telemetry.LogRequests = slog.New(slog.NewJSONHandler(&log, nil)), all
		c.Workload.Service = "productpage"
	}, run)
	var lines []map[string]any
	for line := range strings.Lines(log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fields)
	}
	return lines
}

func TestTheAccessLogHasIstiosFields(t *testing.T) {
	lines := logged(t, true, []string{route("reviews", "timeout: 1s, rewrite: {uri: /new}")}, func(s *scene) {
		host := s.start("reviews", "r")
		s.post("http://reviews/old?q=1", "body", "User-Agent", "test", "X-Request-Id", "7")
		host.plays(later(time.Hour, host.says(200)))
		s.get("http://reviews/old")
	})
	if len(lines) != 2 {
		t.Fatalf("got %d lines, want 2", len(lines))
	}
	for i, want := range []map[string]any{
		{"reporter": "source", "method": "POST", "path": "/old?q=1", "protocol": "HTTP/1.1", "response_code": 200.0, "response_flags": "-",
			"response_code_details": "via_upstream", "user_agent": "test", "request_id": "7", "authority": "reviews", "attempts": 1.0,
			"upstream_cluster": "outbound|0||reviews.default.svc.cluster.local"},
		{"method": "GET", "response_code": 504.0, "response_flags": "UT", "response_code_details": "response_timeout"},
	} {
		for name, w := range want {
			if got := lines[i][name]; got != w {
				t.Errorf("line %d: %s is %v, want %v", i, name, got, w)
			}
		}
	}
}

// Envoy's %BYTES_RECEIVED% and %BYTES_SENT% are bodies, and so is request.size, of which
// request.total_size has the headers as well.
func TestTheAccessLogAndItsFilterKnowSizesOfBodies(t *testing.T) {
	const filter = `request.size == 4 && request.total_size > 4 && response.size == 1 && response.total_size > 1`
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		fleet := meshtest.New(t)
		config := func(service string) mesh.Config {
			return mesh.Config{
				Workload:  mesh.Workload{Service: service},
				Rules:     rules.Static(telemetryOf(`{accessLogging: [{filter: {expression: "` + filter + `"}}]}`)),
				Telemetry: telemetry.Config{AccessLog: logger},
			}
		}
		served := fleet.StartMesh(config("reviews"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "r") }))
		client := fleet.Client(config("productpage"))
		for _, host := range []string{"reviews", served.Address()} { // the latter is no host of the mesh
			resp, err := client.Post("http://"+host+"/", "text/plain", strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		synctest.Wait()
		if got := strings.Count(log.String(), " bytes_received=4 bytes_sent=1 "); got != 4 {
			t.Errorf("%d lines of 4 have the sizes of the bodies: %s", got, &log)
		}
	})
}

// A rewrite takes nothing of the query from those who ask for it.
func TestExpressionsSeeARewrittenPathWithItsQuery(t *testing.T) {
	const filter = `request.path == '/newold?q=1' && request.query == 'q=1' && request.url_path == '/newold'`
	rules := []string{route("reviews", "rewrite: {uri: /new}"), telemetryOf(`{accessLogging: [{filter: {expression: "` + filter + `"}}]}`)}
	if lines := logged(t, true, rules, func(s *scene) {
		s.start("reviews", "r")
		s.get("http://reviews/old?q=1")
	}); len(lines) != 1 {
		t.Errorf("got %d lines, want 1", len(lines))
	}
}

func TestTheAccessLogIsOffUntilARuleAsks(t *testing.T) {
	lines := logged(t, false, []string{unretried("reviews")}, func(s *scene) {
		s.start("reviews", "r")
		s.get("http://reviews/1")
		s.rule(unretried("reviews"), telemetryOf(`{accessLogging: [{filter: {expression: "request.url_path == '/3'"}}]}`))
		s.get("http://reviews/2")
		s.get("http://reviews/3")
	})
	if len(lines) != 1 || lines[0]["path"] != "/3" {
		t.Errorf("got %v, want the line of /3", lines)
	}
}

// numbers are the values of a metric of the mesh's own, by one of its labels.
func (a *audience) numbers(t testing.TB, name, label string) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	switch m := a.metrics(t)[name].(type) {
	case metricdata.Sum[int64]:
		for _, p := range m.DataPoints {
			out[labelsOf(p.Attributes)[label]] += float64(p.Value)
		}
	case metricdata.Gauge[int64]:
		for _, p := range m.DataPoints {
			out[labelsOf(p.Attributes)[label]] = float64(p.Value)
		}
	case metricdata.Gauge[float64]:
		for _, p := range m.DataPoints {
			out[labelsOf(p.Attributes)[label]] = p.Value
		}
	default:
		t.Errorf("no metric %s", name)
	}
	return out
}

// wantNumber checks one number of a metric of the mesh's own.
func (a *audience) wantNumber(t testing.TB, name, label, value string, want float64) {
	t.Helper()
	if got, ok := a.numbers(t, name, label)[value]; !ok || got != want {
		t.Errorf("%s of %q: got %v (%t), want %v", name, value, got, ok, want)
	}
}

func TestTheMeshTellsOfItsDestinations(t *testing.T) {
	documents := []string{
		policy("reviews", "{connectionPool: {http: {http2MaxRequests: 2}}, outlierDetection: {consecutive5xxErrors: 2, baseEjectionTime: 30s}}"),
		route("reviews", "retries: {attempts: 1, retryOn: 5xx}"),
	}
	const service = "reviews.default.svc.cluster.local"
	before(t, documents, func(s *scene, a *audience) {
		host := s.start("reviews", "r")
		host.plays(later(time.Minute, host.says(200)))
		begun := []<-chan answer{s.begin("http://reviews/"), s.begin("http://reviews/"), s.begin("http://reviews/")}
		s.pass(time.Second)
		a.wantNumber(t, "inmesh.requests.active", "destination_service", service, 2)
		a.wantNumber(t, "inmesh.requests.limit", "destination_service", service, 2)
		a.wantNumber(t, "inmesh.overflows", "destination_service", service, 1)
		a.wantNumber(t, "inmesh.discovery.age", "destination_service", service, 1)
		for _, c := range begun {
			<-c
		}
		host.plays(host.says(500))
		s.get("http://reviews/")
		a.wantNumber(t, "inmesh.retries", "destination_service", service, 1)
		a.wantNumber(t, "inmesh.ejections", "destination_service", service, 1)
		a.wantNumber(t, "inmesh.hosts", "state", "open", 1)
	})
}

// A hedge that there is no room for ends nothing.
func TestAHedgeThatIsNotSentIsNoOverflow(t *testing.T) {
	a := newAudience(sdktrace.NeverSample())
	documents := []string{policy("reviews", "{connectionPool: {http: {http2MaxRequests: 1}}}")}
	playWith(t, documents, func(_ *scene, c *mesh.Config) {
		c.Telemetry, c.Hedge = a.config(), retry.Hedge{Delay: time.Second, Max: 1}
	}, func(s *scene) {
		host := s.start("reviews", "r")
		host.plays(later(time.Minute, host.says(200)))
		s.want(s.get("http://reviews/"), "200")
		a.wantNumber(t, "inmesh.overflows", "destination_service", "reviews.default.svc.cluster.local", 0)
		if u := s.mesh.Clusters()[0]; host.heard() != 1 || u.Requests != 0 || u.Retries != 0 {
			t.Errorf("%d tries, %d requests and %d retries are under way; want one try, and nothing held", host.heard(), u.Requests, u.Retries)
		}
	})
}

func TestTheMeshTellsOfItsRulesAndItsIdentity(t *testing.T) {
	a := newAudience(sdktrace.NeverSample())
	playWith(t, []string{unretried("reviews")}, func(s *scene, c *mesh.Config) {
		c.Telemetry, c.Identity = a.config(), s.fleet.Identity("productpage")
	}, func(s *scene) {
		a.wantNumber(t, "inmesh.certificate.expiry.timestamp", "", "", float64(s.mesh.Status().Identity.NotAfter.UnixMilli())/1000)
		a.wantNumber(t, "inmesh.rules.objects", "", "", 1)
		a.wantNumber(t, "inmesh.rules.info", "version", s.mesh.Status().Rules.Version, 1)
		a.wantNumber(t, "inmesh.rules.rejected", "", "", 0)

		s.rule(unretried("reviews"), unretried("ratings"), telemetryOf(`{accessLogging: [{filter: {expression: "request.path.matches('a')"}}]}`), unprovided)
		a.wantNumber(t, "inmesh.rules.objects", "", "", 1)
		a.wantNumber(t, "inmesh.rules.rejected", "", "", 1)
		a.wantNumber(t, "inmesh.rules.reloads", "result", "applied", 1)
		a.wantNumber(t, "inmesh.rules.reloads", "result", "rejected", 1)
	})
}

// unprovided names a provider that nobody knows.
const unprovided = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: custom}
spec: {action: CUSTOM, provider: {name: nobody}, rules: [{}]}`
