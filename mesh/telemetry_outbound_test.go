package mesh_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/inmesh-go/inmesh/mesh"
)

// The labels and their values are those of Istio's proxies.
// https://istio.io/latest/docs/reference/config/metrics/
func TestACallIsCountedWithIstiosLabels(t *testing.T) {
	before(t, []string{unretried("reviews")}, func(s *scene, a *audience) {
		s.start("reviews", "r", "app", "reviews", "version", "v2")
		s.want(s.get("http://reviews/reviews/7"), "200")
		points := a.requests(t)
		if len(points) != 1 || points[0].Value != 1 {
			t.Fatalf("got %d series, want one of one request", len(points))
		}
		got := labelsOf(points[0].Attributes)
		for name, want := range map[string]string{
			"reporter":        "source",
			"source_workload": "productpage-v1", "source_workload_namespace": "default", "source_principal": "unknown",
			"source_app": "productpage", "source_version": "v1", "source_cluster": "unknown",
			"source_canonical_service": "productpage", "source_canonical_revision": "v1",
			"destination_workload": "reviews-v2", "destination_workload_namespace": "default", "destination_principal": "unknown",
			"destination_app": "reviews", "destination_version": "v2", "destination_cluster": "unknown",
			"destination_canonical_service": "reviews", "destination_canonical_revision": "v2",
			"destination_service": "reviews.default.svc.cluster.local", "destination_service_name": "reviews", "destination_service_namespace": "default",
			"request_protocol": "http", "response_code": "200", "grpc_response_status": "", "response_flags": "-",
			"connection_security_policy": "unknown",
		} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("label %s: got %q (%t), want %q", name, v, ok, want)
			}
			delete(got, name)
		}
		if len(got) > 0 {
			t.Errorf("labels that nobody asked for: %v", got)
		}
	})
}

func TestEveryEndOfACallHasItsCodeAndFlags(t *testing.T) {
	for name, c := range map[string]struct {
		http string // the route's
		part func(*actor)
		act  func(*scene)
		want string
	}{
		"an answer":                {"", nil, nil, "200 -"},
		"an answer that is bad":    {"retries: {attempts: 0}", says(500), nil, "500 -"},
		"retries that are over":    {"retries: {attempts: 1, retryOn: 5xx}", says(503), nil, "503 URX"},
		"a connection that ends":   {"retries: {attempts: 0}", hung, nil, "503 UC"},
		"a timeout":                {"timeout: 1s", sleeps, nil, "504 UT"},
		"a caller who leaves":      {"", sleeps, func(s *scene) { s.cancelled(time.Second, "http://reviews/") }, "0 DC"},
		"an injected abort":        {"fault: {abort: {httpStatus: 418, percentage: {value: 100}}}", nil, nil, "418 FI"},
		"an injected delay":        {"fault: {delay: {fixedDelay: 1s, percentage: {value: 100}}}", nil, nil, "200 DI"},
		"nobody listening":         {"retries: {attempts: 0}", refuses, nil, "503 UF"},
		"nobody there":             {"", gone, nil, "503 UH"},
		"a subset that is missing": {"", nil, func(s *scene) { s.get("http://reviews/v9") }, "503 NC"},
	} {
		t.Run(name, func(t *testing.T) {
			documents := []string{
				policyWith("reviews", "{loadBalancer: {simple: RANDOM}}", "[{name: v1, labels: {version: v1}}]"),
				routes("reviews", "[{match: [{uri: {exact: /v9}}], route: [{destination: {host: reviews, subset: v9}}]}, {route: [{destination: {host: reviews}}], "+c.http+"}]"),
			}
			before(t, documents, func(s *scene, a *audience) {
				host := s.start("reviews", "r")
				if c.part != nil {
					c.part(host)
				}
				if c.act != nil {
					c.act(s)
				} else {
					s.get("http://reviews/")
				}
				s.pass(time.Second)
				wantCounts(t, a.outcomes(t, "response_code", "response_flags"), map[string]int64{c.want: 1})
			})
		})
	}
}

func says(status int) func(*actor) { return func(a *actor) { a.plays(a.says(status)) } }
func sleeps(a *actor)              { a.plays(later(time.Hour, a.says(200))) }
func hung(a *actor)                { a.plays(hangsUp) }
func refuses(a *actor)             { a.Refuse() }
func gone(a *actor)                { a.Withdraw() }

// An answer is over when it has been read: so long it took, and so much was in it.
func TestACallIsMeasuredToTheEndOfItsAnswer(t *testing.T) {
	before(t, []string{unretried("reviews")}, func(s *scene, a *audience) {
		s.start("reviews", "r").plays(func(w http.ResponseWriter, _ *http.Request, _ int) {
			_, _ = io.WriteString(w, strings.Repeat("a", 1000))
			_ = http.NewResponseController(w).Flush()
			<-time.After(20 * time.Second)
			_, _ = io.WriteString(w, strings.Repeat("b", 1000))
		})
		s.post("http://reviews/", strings.Repeat("c", 500))
		for name, want := range map[string][2]float64{
			"istio_request_duration_milliseconds": {20_000, 20_001},
			"istio_request_bytes":                 {500, 700},
			"istio_response_bytes":                {2000, 2300},
		} {
			h := a.metrics(t)[name].(metricdata.Histogram[float64])
			if got := h.DataPoints[0].Sum; got < want[0] || got > want[1] {
				t.Errorf("%s: got %v, want from %v to %v", name, got, want[0], want[1])
			}
		}
	})
}

func TestTriesAreSpansUnderTheirCall(t *testing.T) {
	before(t, []string{route("reviews", "retries: {attempts: 2, retryOn: 5xx}")}, func(s *scene, a *audience) {
		host := s.start("reviews", "r")
		host.plays(host.saysInTurn(503, 503, 200))
		s.want(s.get("http://reviews/"), "200")
		want := `GET client http.response.status_code=200 !retry !retry
  GET client http.response.status_code=503
  GET client http.response.status_code=503 http.request.resend_count=1
  GET client http.response.status_code=200 http.request.resend_count=2
`
		if got := a.tree("http.response.status_code", "http.request.resend_count"); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		var parents []string
		for _, q := range host.questions() {
			parents = append(parents, q.Header.Get("Traceparent"))
		}
		for i, s := range a.recorder.Ended()[:3] {
			c := s.SpanContext()
			if want := "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-01"; i >= len(parents) || parents[i] != want {
				t.Errorf("try %d: got traceparent %q, want %q", i+1, parents[i], want)
			}
		}
	})
}

func TestFaultsAndEjectionsAreEventsOfTheCall(t *testing.T) {
	documents := []string{
		policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1}}"),
		route("reviews", "fault: {delay: {fixedDelay: 1s, percentage: {value: 100}}}, retries: {attempts: 0}"),
	}
	before(t, documents, func(s *scene, a *audience) {
		host := s.start("reviews", "r")
		host.plays(host.says(500))
		s.get("http://reviews/")
		want := "GET client !fault !ejection\n  GET client\n"
		if got := a.tree(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// The trace of the caller's context goes on; so does that of a request which a
// handler passes on with its headers. The request itself is not touched.
func TestACallIsPartOfItsCallersTrace(t *testing.T) {
	const passed = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	before(t, []string{unretried("reviews")}, func(s *scene, a *audience) {
		host := s.start("reviews", "r")
		r := s.request("GET", "http://reviews/", "", "Traceparent", passed)
		s.do(r)
		if got := r.Header.Get("Traceparent"); got != passed {
			t.Errorf("the caller's header is %q now", got)
		}
		sent := host.questions()[0].Header.Get("Traceparent")
		if !strings.HasPrefix(sent, passed[:36]) || sent == passed {
			t.Errorf("got traceparent %q, want a new span of trace %q", sent, passed[:36])
		}

		ctx, span := a.tracers.Tracer("test").Start(context.Background(), "handler")
		s.do(s.request("GET", "http://reviews/", "").WithContext(ctx))
		span.End()
		want := "handler internal\n  GET client\n    GET client\n"
		if got := a.tree(); !strings.HasSuffix(got, want) {
			t.Errorf("got\n%swant\n%s at the end", got, want)
		}
	})
}

// What is not sampled is decided once, and passed on.
func TestAnUnsampledCallTellsSo(t *testing.T) {
	a := newAudience(sdktrace.NeverSample())
	playWith(t, []string{unretried("reviews")}, func(_ *scene, c *mesh.Config) { c.Telemetry = a.config() }, func(s *scene) {
		host := s.start("reviews", "r")
		s.get("http://reviews/")
		sent := host.questions()[0].Header.Get("Traceparent")
		if len(sent) != 55 || !strings.HasSuffix(sent, "-00") {
			t.Errorf("got traceparent %q, want one that says so", sent)
		}
		if n := len(a.recorder.Ended()); n != 0 {
			t.Errorf("got %d spans, want none", n)
		}
	})
}

// Without a provider a trace that came from elsewhere is passed on as it is.
func TestWithoutAProviderATraceIsPassedOn(t *testing.T) {
	play(t, []string{unretried("reviews")}, func(s *scene) {
		host := s.start("reviews", "r")
		sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
		ctx := trace.ContextWithSpanContext(context.Background(), sc)
		for range 2 {
			s.do(s.request("GET", "http://reviews/", ""))
		}
		s.do(s.request("GET", "http://reviews/", "").WithContext(ctx))
		asked := host.questions()
		want := "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-01"
		if got := asked[2].Header.Get("Traceparent"); got != want {
			t.Errorf("got traceparent %q, want %q", got, want)
		}
		if got := asked[1].Header.Get("Traceparent"); got != "" {
			t.Errorf("got traceparent %q, want none", got)
		}
	})
}

func TestTheGraphShowsWhereCallsWent(t *testing.T) {
	before(t, []string{unretried("reviews")}, func(s *scene, a *audience) {
		s.start("reviews", "r", "version", "v2")
		for range 10 {
			s.get("http://reviews/")
		}
		s.pass(time.Second)
		g := s.mesh.Graph(10 * time.Second)
		if len(g.Edges) != 1 || g.Edges[0].Source != "default/productpage@v1" || g.Edges[0].Target != "default/reviews@v2" || g.Edges[0].Requests == 0 {
			t.Errorf("got %+v, want an edge from productpage v1 to reviews v2", g.Edges)
		}
	})
}

func TestNoTelemetryTellsNothing(t *testing.T) {
	a := newAudience(sdktrace.AlwaysSample())
	playWith(t, []string{unretried("reviews")}, func(_ *scene, c *mesh.Config) {
		c.Telemetry, c.NoTelemetry = a.config(), true
	}, func(s *scene) {
		host := s.start("reviews", "r")
		s.get("http://reviews/")
		if n, m := len(a.recorder.Ended()), len(a.metrics(t)); n+m+len(s.mesh.Graph(time.Minute).Edges) != 0 {
			t.Errorf("got %d spans and %d metrics, want none", n, m)
		}
		if got := host.questions()[0].Header.Get("Traceparent"); got != "" {
			t.Errorf("got traceparent %q, want none", got)
		}
	})
}

// A mirrored request is no call of the caller's: it is not counted, and has no
// span; but who gets it is in the caller's trace.
func TestACopyIsInTheTraceOfItsCallAndIsNotCounted(t *testing.T) {
	documents := []string{routes("reviews", "[{route: [{destination: {host: reviews}}], mirror: {host: shadow}}]")}
	before(t, documents, func(s *scene, a *audience) {
		s.start("reviews", "r")
		shadow := s.start("shadow", "s")
		s.want(s.get("http://reviews/"), "200")
		s.pass(time.Second)
		wantCounts(t, a.outcomes(t, "destination_service_name"), map[string]int64{"reviews": 1})
		if n := len(a.recorder.Ended()); n != 2 {
			t.Errorf("got %d spans, want the call's and its try's", n)
		}
		call := a.recorder.Ended()[1].SpanContext()
		want := "00-" + call.TraceID().String() + "-" + call.SpanID().String() + "-01"
		if got := shadow.questions()[0].Header.Get("Traceparent"); got != want {
			t.Errorf("got traceparent %q, want the call's %q", got, want)
		}
	})
}
