package mesh_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
)

// passing is a client of a server that the mesh does not know, and whose answers
// an audience counts.
func passing(t *testing.T, h http.HandlerFunc) (*http.Client, string, *audience) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	a := newAudience(sdktrace.AlwaysSample())
	client := &http.Client{Transport: meshtest.New(t).Mesh(mesh.Config{Telemetry: a.config()}).Transport(new(http.Transport))}
	t.Cleanup(client.CloseIdleConnections)
	return client, server.URL, a
}

func TestAnAnswerThatPassesIsCountedAtItsEnd(t *testing.T) {
	client, url, a := passing(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Traceparent") != "" {
			t.Error("a stranger is told of a trace")
		}
		_, _ = io.WriteString(w, strings.Repeat("a", 1000))
	})
	resp, err := client.Post(url, "text/plain", strings.NewReader(strings.Repeat("b", 500)))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(a.requests(t)); n != 0 {
		t.Errorf("got %d series before the end", n)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	wantCounts(t, a.outcomes(t, "response_code", "response_flags", "destination_service_name", "destination_service"),
		map[string]int64{"200 - PassthroughCluster " + strings.TrimPrefix(url, "http://"): 1})
	for name, most := range map[string]float64{"istio_request_bytes": 1000, "istio_response_bytes": 2000} {
		h := a.metrics(t)[name].(metricdata.Histogram[float64])
		if got := h.DataPoints[0].Sum; got < most/2 || got > most {
			t.Errorf("%s: got %v, want from %v to %v", name, got, most/2, most)
		}
	}
}

func TestAnAnswerThatPassesAndBreaksOffSaysSo(t *testing.T) {
	client, url, a := passing(t, abortsMidway)
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("the answer is whole")
	}
	_ = resp.Body.Close()
	wantCounts(t, a.outcomes(t, "response_code", "response_flags"), map[string]int64{"200 UC": 1})
}

// switched is the answer to a request whose connection becomes something else,
// which the server goes on with.
func switched(t *testing.T, serve func(net.Conn, *bufio.ReadWriter)) (*http.Response, *audience) {
	t.Helper()
	client, url, a := passing(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
		serve(conn, rw)
	})
	r, _ := http.NewRequest(http.MethodGet, url, nil)
	r.Header.Set("Upgrade", "echo")
	r.Header.Set("Connection", "Upgrade")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp, a
}

func TestAConnectionThatPassesStaysWritable(t *testing.T) {
	resp, a := switched(t, func(conn net.Conn, rw *bufio.ReadWriter) {
		line, _ := rw.ReadString('\n')
		_, _ = io.WriteString(conn, line)
	})
	both, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatalf("%T cannot be written to", resp.Body)
	}
	_, _ = io.WriteString(both, "hello\n")
	if got, err := io.ReadAll(both); err != nil || string(got) != "hello\n" {
		t.Errorf("got %q (%v)", got, err)
	}
	_ = both.Close()
	wantCounts(t, a.outcomes(t, "response_code", "response_flags"), map[string]int64{"101 -": 1})
}

// A connection that has become something else can be closed one way.
func TestAConnectionThatPassesCanBeHalfClosed(t *testing.T) {
	resp, _ := switched(t, func(conn net.Conn, rw *bufio.ReadWriter) {
		all, _ := io.ReadAll(rw)
		_, _ = conn.Write(all)
	})
	defer resp.Body.Close()
	both, ok := resp.Body.(interface {
		io.Writer
		CloseWrite() error
	})
	if !ok {
		t.Fatalf("%T cannot be closed one way", resp.Body)
	}
	_, _ = io.WriteString(both, "hello")
	if err := both.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != "hello" {
		t.Errorf("got %q (%v)", got, err)
	}
}
