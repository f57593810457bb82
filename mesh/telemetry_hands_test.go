package mesh_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/retry"
)

// Each try of a race has a span of its own, which names the host of that try.
func TestHedgesAreSpansOfTheirOwnHosts(t *testing.T) {
	a := newAudience(sdktrace.AlwaysSample())
	playWith(t, nil, func(_ *scene, c *mesh.Config) {
		c.Telemetry, c.Hedge = a.config(), retry.Hedge{Delay: time.Millisecond, Max: 1}
	}, func(s *scene) {
		var calls, gone atomic.Int64
		for range 2 {
			s.fleet.Start("reviews", slow(time.Minute, "slow", &calls, &gone), nil)
		}
		s.want(s.get("http://reviews/"), "200")
		s.pass(time.Minute)
		hosts := map[string]int{}
		for _, span := range a.recorder.Ended() {
			for _, kv := range span.Attributes() {
				if kv.Key == "network.peer.address" && span.Parent().IsValid() {
					hosts[kv.Value.AsString()]++
				}
			}
		}
		if len(hosts) != 2 {
			t.Errorf("the tries went to %v, want each to a host of its own", hosts)
		}
	})
}

// What an answer says is its caller's to change, also while somebody else reads it.
func TestAnAnswersHeaderIsItsCallersWhileItIsRead(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "fine")
	}))
	t.Cleanup(server.Close)
	a := newAudience(sdktrace.AlwaysSample())
	fleet := meshtest.New(t)
	fleet.Start("reviews", http.HandlerFunc(fine), nil)
	m := fleet.Mesh(mesh.Config{Telemetry: a.config()})
	for url, client := range map[string]*http.Client{
		"http://reviews/": {Transport: m.Transport(fleet.Base())},
		server.URL:        {Transport: m.Transport(new(http.Transport))},
	} {
		t.Cleanup(client.CloseIdleConnections)
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error)
		go func() {
			_, err := io.Copy(io.Discard, resp.Body)
			read <- err
		}()
		resp.Header.Set("X-Cache", "miss")
		resp.StatusCode = http.StatusTeapot
		if err := <-read; err != nil {
			t.Error(err)
		}
		_ = resp.Body.Close()
	}
	wantCounts(t, a.outcomes(t, "response_code"), map[string]int64{"200": 2})
}

// brokenPipe is a ResponseWriter whose caller has gone.
type brokenPipe struct{ http.ResponseWriter }

var errBrokenPipe = errors.New("broken pipe")

func (brokenPipe) Flush()            {}
func (brokenPipe) FlushError() error { return errBrokenPipe }

// Who streams events finds out by Flush that nobody listens any more.
func TestAHandlerHearsWhyItCannotFlush(t *testing.T) {
	m, err := mesh.New(context.Background(), mesh.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); !errors.Is(err, errBrokenPipe) {
			t.Errorf("got %v, want %v", err, errBrokenPipe)
		}
	}))
	h.ServeHTTP(brokenPipe{httptest.NewRecorder()}, httptest.NewRequest(http.MethodGet, "/", nil))
}

// voiceless is a base that breaks its contract.
type voiceless struct{}

func (voiceless) RoundTrip(*http.Request) (*http.Response, error) { return nil, nil }

// What http.Client says of a base without an answer, it says through the mesh too.
func TestABaseWithoutAnAnswerIsNoPanic(t *testing.T) {
	client := &http.Client{Transport: meshtest.New(t).Mesh(mesh.Config{}).Transport(voiceless{})}
	if _, err := client.Get("http://127.0.0.1:1/"); err == nil {
		t.Error("got an answer")
	}
}
