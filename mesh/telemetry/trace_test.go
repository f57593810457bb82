package telemetry_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	api "istio.io/api/telemetry/v1alpha1"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// traced is a bench that keeps all spans.
func traced(t testing.TB, s sdktrace.Sampler) (bench, *tracetest.SpanRecorder) {
	t.Helper()
	kept := tracetest.NewSpanRecorder()
	return open(t, func(c *telemetry.Config) {
		c.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(kept), sdktrace.WithSampler(s))
	}), kept
}

func TestOneSpanForACallAndOneForEachTry(t *testing.T) {
	b, kept := traced(t, sdktrace.AlwaysSample())
	e := b.Edge(toReviews())
	ctx, call := b.Call(context.Background(), telemetry.Carrier{}, "GET")
	headers := map[string]bool{}
	for n := 1; n <= 2; n++ {
		tryCtx, try := call.Attempt(ctx, n, "GET")
		h := http.Header{}
		try.Inject(tryCtx, telemetry.Carrier{Header: h})
		headers[h.Get("Traceparent")] = true
		try.Finish(e, &telemetry.Result{Start: time.Now(), Code: 503 - 303*(n-1), GRPC: -1, Flags: telemetry.UpstreamConnectFailure})
		if n == 1 {
			call.Retry(n, "10.0.0.1:9080", "connect-failure", 25*time.Millisecond)
			call.Ejection("10.0.0.1:9080", "consecutive 5xx", time.Now())
		}
	}
	r := ok()
	call.Finish(e, &r)

	spans := kept.Ended()
	if len(spans) != 3 {
		t.Fatalf("got %d spans, want 3", len(spans))
	}
	first, second, whole := spans[0], spans[1], spans[2]
	for _, s := range spans[:2] {
		if s.Parent().SpanID() != whole.SpanContext().SpanID() || s.SpanKind() != trace.SpanKindClient {
			t.Errorf("the span of a try is %v under %v: want a client's under the call's", s.SpanKind(), s.Parent())
		}
		if !headers["00-"+s.SpanContext().TraceID().String()+"-"+s.SpanContext().SpanID().String()+"-01"] {
			t.Errorf("the next hop was told %v: want %v among them", headers, s.SpanContext().SpanID())
		}
	}
	if first.Status().Code != codes.Error || second.Status().Code == codes.Error || whole.Status().Code == codes.Error {
		t.Errorf("got %v, %v, %v: want the first try to have failed, and it alone", first.Status(), second.Status(), whole.Status())
	}
	if got := value(first, "http.request.resend_count"); got != "" {
		t.Errorf("first try: resend_count %s, want none", got)
	}
	if got := value(second, "http.request.resend_count"); got != "1" {
		t.Errorf("second try: resend_count %s, want 1", got)
	}
	if ev := whole.Events(); len(ev) != 2 || ev[0].Name != "retry" || ev[1].Name != "ejection" {
		t.Errorf("got events %v, want a retry and an ejection", ev)
	}
}

// value is an attribute as text, "" for none.
func value(s sdktrace.ReadOnlySpan, key attribute.Key) string {
	for _, kv := range s.Attributes() {
		if kv.Key == key {
			return kv.Value.Emit()
		}
	}
	return ""
}

func TestAttributesAreOpenTelemetrys(t *testing.T) {
	details := telemetry.Details{
		Method: "GET", Scheme: "http", Host: "reviews:9080", Path: "/reviews/7?full=1", Protocol: "HTTP/1.1", UpstreamAddress: "10.0.0.1:9080", SourceAddress: "10.0.0.9:4711",
		Cluster: "outbound|9080|v2|reviews.default.svc.cluster.local", RequestHeader: map[string][]string{"User-Agent": {"curl"}},
	}
	for _, tc := range []struct {
		name   string
		link   telemetry.Link
		result telemetry.Result
		want   map[attribute.Key]string
		status codes.Code
	}{
		{"a client", toReviews(), telemetry.Result{Code: 404, GRPC: -1}, map[attribute.Key]string{
			"http.request.method": "GET", "http.response.status_code": "404", "url.full": "http://reviews:9080/reviews/7?full=1", "error.type": "404",
			"server.address": "reviews", "server.port": "9080", "network.peer.address": "10.0.0.1", "network.peer.port": "9080", "network.protocol.version": "1.1",
			"user_agent.original": "curl", "response_flags": "-", "upstream_cluster": details.Cluster,
			"istio.canonical_service": "productpage", "istio.canonical_revision": "v1", "istio.namespace": "default",
		}, codes.Error},
		{"a server", telemetry.Link{Reporter: telemetry.Destination}, telemetry.Result{Code: 404, GRPC: -1}, map[attribute.Key]string{
			"http.request.method": "GET", "http.response.status_code": "404", "url.path": "/reviews/7", "url.query": "full=1", "url.scheme": "http", "url.full": "",
			"client.address": "10.0.0.9", "network.peer.port": "4711", "error.type": "", "http.route": "",
		}, codes.Unset},
		{"no answer", toReviews(), telemetry.Result{GRPC: -1, Flags: telemetry.DownstreamGone}, map[attribute.Key]string{
			"http.response.status_code": "", "error.type": "DC", "response_flags": "DC",
		}, codes.Error},
		{"gRPC", grpc(toReviews()), telemetry.Result{Code: 200, GRPC: 14}, map[attribute.Key]string{
			"rpc.system.name": "grpc", "rpc.method": "reviews/7", "rpc.response.status_code": "UNAVAILABLE", "error.type": "UNAVAILABLE", "http.request.method": "",
		}, codes.Error},
		{"gRPC, the caller's fault", grpc(telemetry.Link{Reporter: telemetry.Destination}), telemetry.Result{Code: 200, GRPC: 5}, map[attribute.Key]string{
			"rpc.response.status_code": "NOT_FOUND", "error.type": "",
		}, codes.Unset},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, kept := traced(t, sdktrace.AlwaysSample())
			d := details
			if tc.link.Protocol == telemetry.GRPC {
				d.Path = "/reviews/7"
			}
			tc.result.Details = &d
			e := b.Edge(tc.link)
			begin := b.Call
			if tc.link.Reporter == telemetry.Destination {
				begin = b.Serve
			}
			_, span := begin(context.Background(), telemetry.Carrier{}, "GET")
			span.Finish(e, &tc.result)
			s := kept.Ended()[0]
			for key, want := range tc.want {
				if got := value(s, key); got != want {
					t.Errorf("%s: got %q, want %q", key, got, want)
				}
			}
			if s.Status().Code != tc.status {
				t.Errorf("got status %v, want %v", s.Status(), tc.status)
			}
		})
	}
}

func TestSecretsInQueriesAreNotTold(t *testing.T) {
	b, kept := traced(t, sdktrace.AlwaysSample())
	_, span := b.Call(context.Background(), telemetry.Carrier{}, "GET")
	span.Finish(b.Edge(toReviews()), &telemetry.Result{Code: 200, GRPC: -1, Details: &telemetry.Details{Scheme: "https", Host: "bucket", Path: "/o?X-Goog-Signature=s3cret&a=b&Signature=s3cret&sig=s3cret"}})
	if got, want := value(kept.Ended()[0], "url.full"), "https://bucket/o?X-Goog-Signature=REDACTED&a=b&Signature=REDACTED&sig=REDACTED"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A handler that passes headers on, as it must with a sidecar, continues the trace.
func TestACallContinuesTheTraceOfItsHeaders(t *testing.T) {
	b, _ := traced(t, sdktrace.ParentBased(sdktrace.NeverSample()))
	_, span := b.Call(context.Background(), telemetry.Carrier{Header: map[string][]string{"Traceparent": {parent}}}, "GET")
	if span.Context().TraceID().String() != parent[3:35] || !span.Recording() {
		t.Errorf("got %v, want a sampled span of %s", span.Context(), parent)
	}
	other := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{9}, SpanID: trace.SpanID{9}})
	_, span = b.Call(trace.ContextWithSpanContext(context.Background(), other), telemetry.Carrier{Header: map[string][]string{"Traceparent": {parent}}}, "GET")
	if span.Context().TraceID() != other.TraceID() {
		t.Errorf("got %v, want the context's trace before the headers'", span.Context())
	}
}

// apply puts the spec of one Telemetry in force.
func apply(t testing.TB, b bench, spec *api.Telemetry) {
	t.Helper()
	s, problems := telemetry.Compile([]telemetry.Resource{{Namespace: "default", Name: "t", Spec: spec}}, telemetry.Scope{})
	for _, p := range problems {
		t.Error(p)
	}
	b.Apply(s)
}

// What strangers write reaches exporters as they need it: one refuses all spans
// that it sends with one that is no UTF-8.
func TestAttributesThatStrangersWriteAreShortAndValid(t *testing.T) {
	b, kept := traced(t, sdktrace.AlwaysSample())
	_, s := b.Serve(context.Background(), telemetry.Carrier{}, "GET")
	r := ok()
	r.Details = &telemetry.Details{
		Method: "GET", Scheme: "http", Host: "reviews\xff", Path: "/?q=\xff" + strings.Repeat("a", 1<<20), SourceAddress: "10.0.0.9:1",
		RequestHeader: map[string][]string{"User-Agent": {strings.Repeat("b\xff", 1<<19)}}, CodeDetails: "c\xff",
	}
	r.Code = 500
	s.Finish(b.Edge(toReviews()), &r)
	span := kept.Ended()[0]
	for _, kv := range span.Attributes() {
		if v := kv.Value.Emit(); !utf8.ValidString(v) || len(v) > 16<<10 {
			t.Errorf("%s: got %d bytes, valid %t", kv.Key, len(v), utf8.ValidString(v))
		}
	}
	if !utf8.ValidString(span.Status().Description) {
		t.Errorf("got the description %q", span.Status().Description)
	}
}
