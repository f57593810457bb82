package mesh_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// A duet is two workloads of the mesh, productpage and reviews, with an audience
// each.
type duet struct {
	*scene
	caller, host *audience
}

// duo plays a scenario in which productpage calls reviews, which obeys documents.
func duo(t *testing.T, h http.Handler, documents []string, run func(*duet)) {
	t.Helper()
	d := &duet{caller: newAudience(sdktrace.AlwaysSample()), host: newAudience(sdktrace.AlwaysSample())}
	playWith(t, []string{unretried("reviews")}, func(s *scene, c *mesh.Config) {
		c.Telemetry = d.caller.config()
		c.Workload = mesh.Workload{Service: "productpage", Labels: meshtest.Labels{"app": "productpage", "version": "v1"}}
		c.Identity = s.fleet.Identity("productpage")
	}, func(s *scene) {
		d.scene = s
		s.fleet.StartMesh(mesh.Config{
			Workload:  mesh.Workload{Service: "reviews", Labels: meshtest.Labels{"app": "reviews", "version": "v2"}},
			Rules:     rules.Static(documents...),
			Telemetry: d.host.config(),
		}, h)
		run(d)
	})
}

func fine(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") }

// Both ends tell the same of a call, but for who reports, and for what a client
// cannot know of the connection's security.
func TestBothEndsAgreeOnACall(t *testing.T) {
	duo(t, http.HandlerFunc(fine), nil, func(d *duet) {
		d.want(d.get("http://reviews/reviews/7"), "200")
		d.pass(time.Second)
		client, server := d.caller.requests(d), d.host.requests(d)
		if len(client) != 1 || len(server) != 1 {
			t.Fatalf("got %d and %d series, want one each", len(client), len(server))
		}
		got, want := labelsOf(server[0].Attributes), labelsOf(client[0].Attributes)
		want["reporter"], want["connection_security_policy"] = "destination", "mutual_tls"
		for name, w := range want {
			if got[name] != w {
				t.Errorf("label %s: the server says %q, the client %q", name, got[name], w)
			}
		}
		for name, w := range map[string]string{
			"source_workload": "productpage-v1", "source_principal": accountOf("productpage"),
			"destination_workload": "reviews-v2", "destination_principal": accountOf("reviews"),
		} {
			if got[name] != w {
				t.Errorf("label %s: got %q, want %q", name, got[name], w)
			}
		}
	})
}

// A caller who has proven nothing is not believed.
func TestACallerWhoProvesNothingIsUnknown(t *testing.T) {
	duo(t, http.HandlerFunc(fine), nil, func(d *duet) {
		d.want(d.get("http://reviews/"), "200")
		d.pass(time.Second)
		bare := d.fleet.Client(mesh.Config{NoTelemetry: true})
		_, stolen := telemetry.WorkloadOf("productpage-v1", "default", meshtest.Labels{"app": "productpage"}).Metadata()
		r := d.request("GET", "http://reviews/", "", telemetry.MetadataHeader, stolen)
		resp, err := bare.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		d.pass(time.Second)
		wantCounts(t, d.host.outcomes(d, "source_workload", "source_principal", "connection_security_policy"), map[string]int64{
			"productpage-v1 " + accountOf("productpage") + " mutual_tls": 1,
			"unknown unknown none": 1,
		})
	})
}

// Who has proven who it is would be believed: what it passes on of what its own callers
// have said of themselves does not arrive, also where it says nothing of itself.
func TestWhatOthersSayOfThemselvesIsNotPassedOn(t *testing.T) {
	duo(t, http.HandlerFunc(fine), nil, func(d *duet) {
		silent := d.fleet.Client(mesh.Config{NoTelemetry: true, Identity: d.fleet.Identity("productpage")})
		_, other := telemetry.WorkloadOf("details-v1", "default", meshtest.Labels{"app": "details"}).Metadata()
		resp, err := silent.Do(d.request("GET", "http://reviews/", "", telemetry.MetadataHeader, other))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		d.pass(time.Second)
		wantCounts(t, d.host.outcomes(d, "source_workload", "source_principal", "connection_security_policy"), map[string]int64{
			"unknown " + accountOf("productpage") + " mutual_tls": 1,
		})
	})
}

func TestRequestsThatAreRefusedCount(t *testing.T) {
	deny := `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/secret]}}]}]}`
	duo(t, http.HandlerFunc(fine), []string{deny}, func(d *duet) {
		d.want(d.get("http://reviews/secret"), "403")
		d.want(d.get("http://reviews/"), "200")
		d.pass(time.Second)
		want := map[string]int64{"403 -": 1, "200 -": 1}
		wantCounts(t, d.host.outcomes(d, "response_code", "response_flags"), want)
		wantCounts(t, d.caller.outcomes(d, "response_code", "response_flags"), want)
	})
}

func TestEveryEndOfARequestHasItsCodeAndFlags(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"nothing written":     {func(http.ResponseWriter, *http.Request) {}, "200 -"},
		"a status":            {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(418) }, "418 -"},
		"a hint before":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(404) }, "404 -"},
		"nothing to copy":     {failsToCopy, "502 -"},
		"a panic":             {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "503 UC"},
		"a panic in between":  {abortsMidway, "200 UC"},
		"a caller who leaves": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "0 DC"},
	} {
		t.Run(name, func(t *testing.T) {
			duo(t, c.handler, nil, func(d *duet) {
				d.cancelled(time.Second, "http://reviews/")
				d.pass(time.Minute)
				wantCounts(t, d.host.outcomes(d, "response_code", "response_flags"), map[string]int64{c.want: 1})
			})
		})
	}
}

// failsToCopy finds out that there is nothing to be had from who has it, and says so.
func failsToCopy(w http.ResponseWriter, _ *http.Request) {
	if _, err := io.Copy(w, iotest.ErrReader(io.ErrUnexpectedEOF)); err != nil {
		w.WriteHeader(http.StatusBadGateway)
	}
}

func abortsMidway(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, "half")
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// The handler's own spans stand between the request's and those of its calls.
func TestAHandlersCallsAreUnderItsRequest(t *testing.T) {
	var d2 *duet
	h := func(w http.ResponseWriter, r *http.Request) {
		_, span := d2.host.tracers.Tracer("test").Start(r.Context(), "work")
		span.End()
	}
	duo(t, http.HandlerFunc(h), nil, func(d *duet) {
		d2 = d
		d.get("http://reviews/")
		d.pass(time.Second)
		out, in := d.caller.recorder.Ended(), d.host.recorder.Ended()
		if len(out) != 2 || len(in) != 2 {
			t.Fatalf("got %d and %d spans, want a call with a try, and a request with its work", len(out), len(in))
		}
		if try, request, work := out[0], in[1], in[0]; request.Parent().SpanID() != try.SpanContext().SpanID() || work.Parent().SpanID() != request.SpanContext().SpanID() {
			t.Errorf("the work is not under the request, and that under the try")
		}
		if got := d.host.tree("http.response.status_code"); !strings.HasPrefix(got, "GET server http.response.status_code=200\n  work") {
			t.Errorf("got\n%s", got)
		}
	})
}

// What a server's ResponseWriter can do, it can do behind Handler.
func TestAWatchedAnswerCanDoWhatItsOwnCan(t *testing.T) {
	m := meshtest.New(t).Mesh(mesh.Config{})
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			var bare, wrapped string
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				bare = abilities(w)
				m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { wrapped = abilities(w) })).ServeHTTP(w, r)
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			resp, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if !strings.Contains(wrapped, bare) {
				t.Errorf("got %q, want %q at least", wrapped, bare)
			}
		})
	}
}

func abilities(w http.ResponseWriter) string {
	var can []string
	if _, ok := w.(http.Flusher); ok {
		can = append(can, "flush")
	}
	if _, ok := w.(http.Hijacker); ok {
		can = append(can, "hijack")
	}
	if _, ok := w.(http.Pusher); ok {
		can = append(can, "push")
	}
	if _, ok := w.(io.StringWriter); ok {
		can = append(can, "write strings")
	}
	if _, ok := w.(http.CloseNotifier); ok { //nolint:staticcheck // deprecated, still asked for
		can = append(can, "notify")
	}
	if _, ok := w.(io.ReaderFrom); ok {
		can = append(can, "read from")
	}
	return strings.Join(can, ", ")
}

// By its route requests of one kind are found together, whatever they ask for.
func TestASpanOfAServerIsNamedByTheRouteOfItsMux(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET reviews/reviews/{id}", fine)
	mux.HandleFunc("/", fine)
	duo(t, mux, nil, func(d *duet) {
		d.want(d.do(d.request("GET", "http://reviews/reviews/7", "")), "200")
		d.pass(time.Second)
		if got, want := d.host.tree("http.route"), "GET /reviews/{id} server http.route=/reviews/{id}\n"; got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// Anybody can make up methods; spans are not named by them.
func TestSpansOfMethodsThatAreMadeUpHaveOneName(t *testing.T) {
	duo(t, http.HandlerFunc(fine), nil, func(d *duet) {
		d.want(d.do(d.request("BREW-7", "http://reviews/", "")), "200")
		d.pass(time.Second)
		const about = "http.request.method=_OTHER http.request.method_original=BREW-7\n"
		for want, a := range map[string]*audience{"HTTP client " + about + "  HTTP client " + about: d.caller, "HTTP server " + about: d.host} {
			if got := a.tree("http.request.method", "http.request.method_original"); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		}
	})
}
