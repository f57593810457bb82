package mesh_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
)

// heads differ from the one before in their names, in their values, or in both, and
// have more names than are remembered, or as many as others have.
var heads = []http.Header{
	nil,
	{"Accept": {"text/html"}},
	{"Accept": {"application/json"}},
	{"Cookie": {"a=b"}},
	{"Accept": {"text/html"}, "Cookie": {"a=b"}},
	{"Accept": {"text/html", "text/plain"}, "Cookie": {"a=b"}},
	{"Accept": {"text/html"}, "Via": {"1.1 proxy"}},
	{"Accept": {}, "Via": {"1.1 proxy"}},
	{"Accept": {}, "Cookie": {"a=b"}},
	{"A": {"1"}, "B": {"2"}, "C": {"3"}, "D": {"4"}},
	{"A": {"1"}, "B": {"2"}, "C": {"3"}, "E": {"55"}},
	{"A": {"1"}, "B": {"2"}, "C": {"3"}, "D": {"4"}, "E": {"5"}},
	{"A": {"1"}, "B": {"2"}, "C": {"3"}, "D": {"4"}, "F": {"6"}},
	{"Accept": {"text/html"}},
	{"X-" + strings.Repeat("long", 20): {"1"}},
	nil,
	{"X-" + strings.Repeat("Long", 20): {"12"}},
	nil,
}

// sizeOfHead is that in HTTP/1.1.
func sizeOfHead(h http.Header) float64 {
	var text strings.Builder
	_ = h.Write(&text)
	return float64(len("GET /reviews/7 HTTP/1.1\r\nHost: reviews\r\n\r\n") + text.Len())
}

func TestTheSizeOfARequestIsThatOfItsOwnHead(t *testing.T) {
	known, err := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": discovery.Addresses("10.0.0.1:9080")})
	if err != nil {
		t.Fatal(err)
	}
	a := newAudience(sdktrace.NeverSample())
	m, err := mesh.New(context.Background(), mesh.Config{Discovery: known, Telemetry: a.config()})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	handler := m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	want := 0.0
	for _, head := range heads {
		want += sizeOfHead(head)
		r := httptest.NewRequest(http.MethodGet, "/reviews/7", nil)
		r.Host, r.Header = "reviews", head.Clone()
		handler.ServeHTTP(httptest.NewRecorder(), r)
		r, _ = http.NewRequest(http.MethodGet, "http://reviews/reviews/7", nil)
		r.Header = head
		resp, err := m.Transport(cannedAnswer{}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	points := a.metrics(t)["istio_request_bytes"].(metricdata.Histogram[float64]).DataPoints
	if len(points) != 2 {
		t.Fatalf("got %d points, want one for each direction", len(points))
	}
	for _, p := range points {
		if p.Sum != want || p.Count != uint64(len(heads)) {
			reporter, _ := p.Attributes.Value("reporter")
			t.Errorf("%s: got %v bytes of %d requests, want %v of %d", reporter.AsString(), p.Sum, p.Count, want, len(heads))
		}
	}
}
