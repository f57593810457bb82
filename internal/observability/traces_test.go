package observability_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A received span knows the service that sent it.
type received struct {
	*tracepb.Span
	service string
}

// A receiver takes traces over OTLP.
type receiver struct {
	mu    sync.Mutex
	spans []received
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var batch collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &batch) != nil || req.URL.Path != "/v1/traces" {
		http.Error(w, "want traces", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rs := range batch.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				r.spans = append(r.spans, received{s, rs.GetResource().GetAttributes()[0].GetValue().GetStringValue()})
			}
		}
	}
}

// trees draws each trace that has been received: spans under their parents, in the
// order of their start.
func (r *receiver) trees() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortStableFunc(r.spans, func(a, b received) int { return int(a.StartTimeUnixNano) - int(b.StartTimeUnixNano) })
	traces := map[string][]received{}
	for _, s := range r.spans {
		traces[string(s.TraceId)] = append(traces[string(s.TraceId)], s)
	}
	for _, spans := range traces {
		var b strings.Builder
		draw(&b, spans, "", "")
		out = append(out, b.String())
	}
	return out
}

func draw(b *strings.Builder, spans []received, parent, indent string) {
	for _, s := range spans {
		if string(s.ParentSpanId) != parent {
			continue
		}
		kind := strings.ToLower(strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_"))
		fmt.Fprintf(b, "%s%s %s %s", indent, s.service, kind, statusOf(s))
		for _, e := range s.Events {
			fmt.Fprintf(b, " +%s", e.Name)
		}
		b.WriteByte('\n')
		draw(b, spans, string(s.SpanId), indent+"  ")
	}
}

// statusOf is an answer's, by the conventions for HTTP or those for gRPC.
func statusOf(s received) string {
	for _, a := range s.Attributes {
		switch a.Key {
		case "http.response.status_code":
			return fmt.Sprint(a.Value.GetIntValue())
		case "rpc.response.status_code":
			return a.Value.GetStringValue()
		}
	}
	return "-"
}

// listen starts a receiver, and returns what sends to it.
func listen(t *testing.T) (*receiver, func() sdktrace.SpanExporter) {
	t.Helper()
	r := new(receiver)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return r, func() sdktrace.SpanExporter {
		exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(server.URL+"/v1/traces"))
		if err != nil {
			t.Fatal(err)
		}
		return exporter
	}
}

// TestAThreeHopCallIsOneTree: over OTLP, with the tries of a call under it, by HTTP
// and by gRPC.
func TestAThreeHopCallIsOneTree(t *testing.T) {
	r, spans := listen(t)
	_, page := runMixed(t, spans)
	if err := visit(t.Context(), page, flaky); err != nil {
		t.Fatal(err)
	}
	r.await(t, `productpage server 200
  productpage client 200 +retry
    productpage client 503
      reviews server 503
    productpage client 200
      reviews server 200
        reviews client OK +retry
          reviews client UNAVAILABLE
            ratings server UNAVAILABLE
          reviews client OK
            ratings server OK
`)
	if all := r.trees(); len(all) != 1 {
		t.Errorf("other traces: %q", all)
	}
}

// TestThePagesOfTheDemoAreTrees: one whose stars take three hops, and one for which
// details was asked twice.
func TestThePagesOfTheDemoAreTrees(t *testing.T) {
	r, spans := listen(t)
	demo(t, &sdks{spans: spans})
	r.await(t, `productpage server 200
  productpage client 200
    productpage client 200
      details server 200
  productpage client 200
    productpage client 200
      reviews server 200
        reviews client 200
          reviews client 200
            ratings server 200
`)
	r.await(t, `productpage server 200
  productpage client 200 +retry
    productpage client 503
      details server 503
    productpage client 200
      details server 200
  productpage client 200
    productpage client 200
      reviews server 200
`)
}

// await waits for a tree: servers tell what they did after they have answered.
func (r *receiver) await(t *testing.T, want string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for timeout := time.After(time.Minute); !slices.Contains(r.trees(), want); {
		select {
		case <-tick.C:
		case <-timeout:
			all := r.trees()
			t.Fatalf("got %d traces, such as\n%s\nwant\n%s", len(all), strings.Join(all[:min(len(all), 3)], "\n"), want)
		}
	}
}
