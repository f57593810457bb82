package observability_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
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

// tree draws what has been received: spans under their parents, in the order of
// their start.
func (r *receiver) tree() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortStableFunc(r.spans, func(a, b received) int { return int(a.StartTimeUnixNano) - int(b.StartTimeUnixNano) })
	var b strings.Builder
	r.draw(&b, "", "")
	return b.String()
}

func (r *receiver) draw(b *strings.Builder, parent, indent string) {
	for _, s := range r.spans {
		if string(s.ParentSpanId) != parent {
			continue
		}
		kind := strings.ToLower(strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_"))
		fmt.Fprintf(b, "%s%s %s %s", indent, s.service, kind, attributeOf(s, "http.response.status_code"))
		for _, e := range s.Events {
			fmt.Fprintf(b, " +%s", e.Name)
		}
		b.WriteByte('\n')
		r.draw(b, string(s.SpanId), indent+"  ")
	}
}

func attributeOf(s received, name string) string {
	for _, a := range s.Attributes {
		if a.Key == name {
			return fmt.Sprint(a.Value.GetIntValue())
		}
	}
	return "-"
}

// TestAThreeHopCallIsOneTree: over OTLP, with the tries of a call under it.
func TestAThreeHopCallIsOneTree(t *testing.T) {
	r := new(receiver)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	service := func(name string) *service {
		exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(server.URL+"/v1/traces"))
		if err != nil {
			t.Fatal(err)
		}
		return start(t, name, "v1", exporter)
	}
	page, reviews, ratings, stars := service("productpage"), service("reviews"), service("ratings"), service("stars")

	hop{page, reviews, telemetry.HTTP, []int{503, 200}}.send(context.Background(), func(ctx context.Context) {
		hop{reviews, ratings, telemetry.HTTP, []int{200}}.send(ctx, func(ctx context.Context) {
			hop{ratings, stars, telemetry.HTTP, []int{503, 503, 200}}.send(ctx, func(context.Context) {})
		})
	})

	want := `productpage client 200 +retry
  productpage client 503
    reviews server 503
  productpage client 200
    reviews server 200
      reviews client 200
        reviews client 200
          ratings server 200
            ratings client 200 +retry +retry
              ratings client 503
                stars server 503
              ratings client 503
                stars server 503
              ratings client 200
                stars server 200
`
	if got := r.tree(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, s := range r.spans {
		if string(s.TraceId) != string(r.spans[0].TraceId) {
			t.Errorf("a span of another trace: %v", s)
		}
	}
}
