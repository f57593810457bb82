package mesh_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/mesh"
)

// A handler that http.TimeoutHandler has given up may still write to its request,
// while the end of that is told.
func TestAHandlerThatWasGivenUpMayWriteToItsRequest(t *testing.T) {
	a := newAudience(sdktrace.AlwaysSample())
	m, err := mesh.New(context.Background(), mesh.Config{Telemetry: a.config()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	tap := m.Tap(mesh.TapFilter{}, 1)
	defer tap.Close()
	done := make(chan struct{})
	late := func(_ http.ResponseWriter, r *http.Request) {
		defer close(done)
		<-r.Context().Done()
		r.Header.Set("X-User", "jason")
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("User-Agent", "test")
	m.Handler(http.TimeoutHandler(http.HandlerFunc(late), time.Millisecond, "")).ServeHTTP(httptest.NewRecorder(), r)
	<-done
	if e, err := tap.Next(t.Context()); err != nil || len(e.Headers["User-Agent"]) != 1 || len(e.Headers["X-User"]) != 0 {
		t.Errorf("got headers %v (%v), want those that came", e.Headers, err)
	}
	wantCounts(t, a.outcomes(t, "response_code"), map[string]int64{"503": 1})
}
