package mesh_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// The mesh's own HTTP/1.1 loop writes what the next hop is told by hand; what it
// does not carry is told by headers. The next hop sees no difference, nor does the
// caller in its request.
func TestTheNextHopIsToldTheSameByEveryWire(t *testing.T) {
	const passed = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	seen := map[string]http.Header{}
	h := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen[r.URL.Path] = r.Header
	}
	duo(t, http.HandlerFunc(h), nil, func(d *duet) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for path, r := range map[string]*http.Request{
			"/loop":      d.request("GET", "http://reviews/loop", ""),
			"/transport": d.request("POST", "http://reviews/transport", "body"),
			"/passed":    d.request("GET", "http://reviews/passed", "", "Traceparent", passed, telemetry.MetadataHeader, "somebody else's"),
		} {
			if path == "/transport" {
				r.GetBody, r.ContentLength, r.Body = nil, -1, io.NopCloser(strings.NewReader("body"))
			}
			before := r.Header.Clone()
			d.want(d.do(r.WithContext(ctx)), "200")
			for name := range seen[path] {
				if len(before[name]) != len(r.Header[name]) {
					t.Errorf("%s: the caller's %s is %q now, was %q", path, name, r.Header[name], before[name])
				}
			}
		}
		for path, h := range seen {
			for _, name := range []string{"Traceparent", telemetry.MetadataHeader, "X-Envoy-Expected-Rq-Timeout-Ms"} {
				if len(h[name]) != 1 {
					t.Errorf("%s: got %q for %s, want one value", path, h[name], name)
				}
			}
			if got, want := h.Get(telemetry.MetadataHeader), seen["/loop"].Get(telemetry.MetadataHeader); got != want {
				t.Errorf("%s: got metadata %q, want %q", path, got, want)
			}
			if got := h.Get("X-Envoy-Expected-Rq-Timeout-Ms"); got != "60000" {
				t.Errorf("%s: got %s ms, want a minute", path, got)
			}
		}
		if got := seen["/passed"].Get("Traceparent"); !strings.HasPrefix(got, passed[:36]) || got == passed {
			t.Errorf("got traceparent %q, want a new span of trace %q", got, passed[:36])
		}
	})
}
