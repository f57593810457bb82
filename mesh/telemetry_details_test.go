package mesh_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A witnessed mesh of productpage logs all, and tells an audience.
type witnessed struct {
	*testing.T
	*audience
	mesh *mesh.Mesh
	log  bytes.Buffer
}

func witness(t *testing.T, c mesh.Config) *witnessed {
	t.Helper()
	known, err := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": discovery.Addresses("10.0.0.1:9080")})
	if err != nil {
		t.Fatal(err)
	}
	w := &witnessed{T: t, audience: newAudience(sdktrace.AlwaysSample())}
	c.Discovery, c.Telemetry = known, w.config()
	c.Telemetry.AccessLog, c.Telemetry.LogRequests = slog.New(slog.NewJSONHandler(&w.log, nil)), true
	if w.mesh, err = mesh.New(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.mesh.Close() })
	return w
}

// logged are the lines of the access log.
func (w *witnessed) logged() (out []map[string]any) {
	w.Helper()
	for line := range strings.Lines(w.log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			w.Fatal(err)
		}
		out = append(out, fields)
	}
	return out
}

// bytes are those that a histogram has counted for a reporter.
func (w *witnessed) bytes(metric, reporter string) float64 {
	w.Helper()
	h, _ := w.metrics(w)[metric].(metricdata.Histogram[float64])
	for _, p := range h.DataPoints {
		if labelsOf(p.Attributes)["reporter"] == reporter {
			return p.Sum
		}
	}
	return -1
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Envoy says HTTP/2 where net/http says HTTP/2.0.
func TestProtocolsAreCalledAsEnvoyDoes(t *testing.T) {
	for proto, want := range map[string]string{"HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2.0": "2", "HTTP/3.0": "3"} {
		w := witness(t, mesh.Config{})
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Proto = proto
		w.mesh.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
		base := roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Proto: proto, Body: http.NoBody, Request: r}, nil
		})
		for _, host := range []string{"reviews", "example.com"} {
			r, _ = http.NewRequest(http.MethodGet, "http://"+host+"/", nil)
			if _, err := w.mesh.Transport(base).RoundTrip(r); err != nil {
				t.Fatal(err)
			}
		}
		lines := w.logged()
		for _, line := range lines {
			if line["protocol"] != "HTTP/"+want {
				t.Errorf("%s: %s logs %v", proto, line["reporter"], line["protocol"])
			}
		}
		spans := w.tree("network.protocol.version")
		if len(lines) != 3 || strings.Count(spans, "network.protocol.version="+want+"\n") != 2 {
			t.Errorf("%s: %d lines, spans\n%s", proto, len(lines), spans)
		}
	}
}

// The time that upstream took to answer is known to both ends, whoever reads on for
// however long.
func TestTheAccessLogTellsTheTimeOfUpstream(t *testing.T) {
	lines := logged(t, true, []string{route("reviews", "retries: {attempts: 1, retryOn: 5xx}")}, func(s *scene) {
		host := s.start("reviews", "r")
		host.plays(later(time.Second, host.saysInTurn(503, 200)))
		s.get("http://reviews/")
		h := s.mesh.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			<-time.After(2 * time.Second)
			_, _ = io.WriteString(w, "begun")
			<-time.After(time.Second)
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		_, _ = s.mesh.Transport(roundTripper(func(*http.Request) (*http.Response, error) {
			<-time.After(3 * time.Second)
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})).RoundTrip(s.request(http.MethodGet, "http://example.com/", ""))
		host.Refuse()
		_, _ = s.client.Get("http://reviews/")
	})
	want := []any{1000.0, 2000.0, 3000.0, "-"}
	if len(lines) != len(want) {
		t.Fatalf("got %d lines: %v", len(lines), lines)
	}
	for i, line := range lines {
		if line["upstream_service_time"] != want[i] {
			t.Errorf("line %d: got %v of %v, want %v", i, line["upstream_service_time"], line["duration"], want[i])
		}
	}
}

// What a rule answers itself has a size, too.
func TestAnAnswerOfARulesOwnHasItsSize(t *testing.T) {
	w := witness(t, mesh.Config{Rules: rules.Static(routes("reviews", `[{directResponse: {status: 200, body: {string: "twelve bytes"}}}]`))})
	r, _ := http.NewRequest(http.MethodGet, "http://reviews/", nil)
	resp, err := w.mesh.Transport(nil).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if lines := w.logged(); len(lines) != 1 || lines[0]["bytes_sent"] != 12.0 {
		t.Errorf("got %v", lines)
	}
	if got := w.bytes("istio_response_bytes", "source"); got < 12+float64(len("HTTP/1.1 200 OK\r\n\r\n")) {
		t.Errorf("got %v bytes", got)
	}
}

// A request that does not say how long it is has the size of what was read of it.
func TestABodyOfUnknownLengthIsCountedAsItIsRead(t *testing.T) {
	w := witness(t, mesh.Config{})
	h := w.mesh.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	post := func(length int64) float64 {
		r := httptest.NewRequest(http.MethodPost, "/", io.NopCloser(strings.NewReader(strings.Repeat("b", 5000))))
		r.ContentLength = length
		h.ServeHTTP(httptest.NewRecorder(), r)
		return w.bytes("istio_request_bytes", "destination")
	}
	said := post(5000)
	if got := post(-1) - said; got != said {
		t.Errorf("got %v bytes, want %v", got, said)
	}
	for _, line := range w.logged() {
		if line["bytes_received"] != 5000.0 {
			t.Errorf("logged: %v bytes", line["bytes_received"])
		}
	}
}

// So has one to a stranger, who is sent it as it is.
func TestABodyOfUnknownLengthThatPassesIsCountedAsItIsRead(t *testing.T) {
	for _, length := range []int64{0, -1} {
		w := witness(t, mesh.Config{})
		rt := w.mesh.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
			_, _ = io.Copy(io.Discard, r.Body)
			return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, r.Body.Close()
		}))
		r, _ := http.NewRequest(http.MethodPost, "http://example.com/", io.NopCloser(strings.NewReader(strings.Repeat("b", 5000))))
		body := r.Body
		r.ContentLength = length
		if resp, err := rt.RoundTrip(r); err != nil || resp.Request != r || r.Body != body {
			t.Errorf("got %v, %v; the request: %v", resp, err, r)
		}
		if lines := w.logged(); len(lines) != 1 || lines[0]["bytes_received"] != 5000.0 {
			t.Errorf("%d: logged %v", length, lines)
		}
	}
}

// A pipe is a connection that has become something else.
type pipe struct{ io.Reader }

func (pipe) Write(p []byte) (int, error) { return len(p), nil }
func (pipe) Close() error                { return nil }

// What is written to a connection that has become something else is the request's, as
// what is read from it is the answer's.
func TestWhatIsWrittenAfterAnUpgradeCounts(t *testing.T) {
	w := witness(t, mesh.Config{})
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 101, Body: pipe{strings.NewReader("answer")}, Request: r}, nil
	})
	for _, host := range []string{"reviews", "example.com"} {
		r, _ := http.NewRequest(http.MethodGet, "http://"+host+"/", nil)
		r.Header.Set("Upgrade", "talk")
		resp, err := w.mesh.Transport(base).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, _ = io.WriteString(resp.Body.(io.Writer), "question")
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	lines := w.logged()
	for _, line := range lines {
		if line["bytes_received"] != 16.0 || line["bytes_sent"] != 6.0 {
			t.Errorf("%v: %v bytes received, %v sent", line["authority"], line["bytes_received"], line["bytes_sent"])
		}
	}
	if len(lines) != 2 {
		t.Errorf("got %d lines", len(lines))
	}
}

// A base that panics ends the request: it counts, and its spans end.
func TestACallWhoseBasePanicsIsToldOf(t *testing.T) {
	w := witness(t, mesh.Config{})
	for _, host := range []string{"reviews", "example.com"} {
		r, _ := http.NewRequest(http.MethodGet, "http://"+host+"/", nil)
		func() {
			defer func() { _ = recover() }()
			_, _ = w.mesh.Transport(roundTripper(func(*http.Request) (*http.Response, error) { panic("base") })).RoundTrip(r)
		}()
	}
	wantCounts(t, w.outcomes(t, "response_code", "response_flags", "destination_service_name"), map[string]int64{"503 UC reviews": 1, "503 UC PassthroughCluster": 1})
	if got, want := w.tree(), "GET client\n  GET client\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if lines := w.logged(); len(lines) != 2 {
		t.Errorf("got %v", lines)
	}
}
