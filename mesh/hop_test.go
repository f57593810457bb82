package mesh_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// The mesh's own HTTP/1.1 loop writes what the next hop is told by hand; what it
// does not carry is told by headers, over HTTP/2 under names in small letters. The
// next hop sees no difference, nor does the caller in its request.
func TestTheNextHopIsToldTheSameByEveryWire(t *testing.T) {
	const passed = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	seen := map[string]http.Header{}
	h := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen[r.Proto+r.URL.Path] = r.Header
	}
	duo(t, http.HandlerFunc(h), nil, func(d *duet) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		ask := func() {
			for path, r := range map[string]*http.Request{
				"/loop":      d.request("GET", "http://reviews/loop", ""),
				"/transport": d.request("POST", "http://reviews/transport", "body"),
				"/passed": d.request("GET", "http://reviews/passed", "", "Traceparent", passed,
					telemetry.MetadataHeader, "somebody else's", "X-Envoy-Expected-Rq-Timeout-Ms", "7"),
			} {
				if path == "/transport" {
					r.GetBody, r.ContentLength, r.Body = nil, -1, io.NopCloser(strings.NewReader("body"))
				}
				before := r.Header.Clone()
				d.want(d.do(r.WithContext(ctx)), "200")
				if !maps.EqualFunc(before, r.Header, slices.Equal) {
					t.Errorf("%s: the caller's headers are %q now, were %q", path, r.Header, before)
				}
			}
		}
		ask()
		d.rule(pooled(upgradePolicy)...)
		ask()
		want := seen["HTTP/1.1/loop"].Get(telemetry.MetadataHeader)
		for path, h := range seen {
			for _, name := range []string{"Traceparent", telemetry.MetadataHeader, "X-Envoy-Expected-Rq-Timeout-Ms"} {
				if len(h[name]) != 1 {
					t.Errorf("%s: got %q for %s, want one value", path, h[name], name)
				}
			}
			if got := h.Get(telemetry.MetadataHeader); got != want {
				t.Errorf("%s: got metadata %q, want %q", path, got, want)
			}
			if got := h.Get("X-Envoy-Expected-Rq-Timeout-Ms"); got != "60000" {
				t.Errorf("%s: got %s ms, want a minute", path, got)
			}
		}
		if len(seen) != 6 {
			t.Errorf("%d requests came by their wires, want 6", len(seen))
		}
		for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
			if got := seen[proto+"/passed"].Get("Traceparent"); !strings.HasPrefix(got, passed[:36]) || got == passed {
				t.Errorf("%s: got traceparent %q, want a new span of trace %q", proto, got, passed[:36])
			}
		}
	})
}
