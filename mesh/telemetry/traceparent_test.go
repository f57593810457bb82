package telemetry_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// served is the trace that a server finds in headers.
func served(t testing.TB, b bench, h map[string][]string) trace.SpanContext {
	t.Helper()
	ctx, span := b.Serve(context.Background(), telemetry.Carrier{Header: h}, "GET")
	if got := trace.SpanContextFromContext(ctx); !got.Equal(span.Context().WithRemote(got.IsRemote())) {
		t.Errorf("the context has %v, the span %v", got, span.Context())
	}
	return span.Context()
}

func TestTraceparentsThatAreNone(t *testing.T) {
	b := open(t)
	for name, values := range map[string][]string{
		"none":                          {},
		"empty":                         {""},
		"version ff":                    {"ff" + parent[2:]},
		"a zero trace ID":               {"00-00000000000000000000000000000000-00f067aa0ba902b7-01"},
		"a zero span ID":                {"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"},
		"upper case":                    {strings.ToUpper(parent)},
		"too short":                     {parent[:54]},
		"more than version 00 has":      {parent + "-00"},
		"a higher version, no hyphen":   {"01" + parent[2:] + "00"},
		"no hexadecimal digit":          {"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01"},
		"no hyphens":                    {strings.ReplaceAll(parent, "-", "_")},
		"several, even if all the same": {parent, parent},
	} {
		if sc := served(t, b, map[string][]string{"Traceparent": values}); sc.IsValid() {
			t.Errorf("%s: got %v", name, sc)
		}
	}
}

func TestATraceOfAHigherVersionGoesOn(t *testing.T) {
	b := open(t)
	for _, value := range []string{parent, "01" + parent[2:], "cc" + parent[2:] + "-what-the-future-will-be-like"} {
		sc := served(t, b, map[string][]string{"Traceparent": {value}})
		if sc.TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" || !sc.IsSampled() {
			t.Errorf("%s: got %v", value, sc)
		}
	}
}

func TestTracestateIsForwardedUpTo512Characters(t *testing.T) {
	b := open(t)
	long := "long=" + strings.Repeat("v", 200)
	var many []string
	for _, c := range "abcdefghij" {
		many = append(many, string(c)+"="+strings.Repeat("v", 60))
	}
	for _, tc := range []struct{ name, in, want string }{
		{"as it is", "a=1,b=2", "a=1,b=2"},
		{"not valid", "a=1,a=2", ""},
		{"a long entry goes first", "a=1," + long + "," + strings.Join(many[1:7], ","), "a=1," + strings.Join(many[1:7], ",")},
		{"then the last ones", strings.Join(many, ","), strings.Join(many[:8], ",")},
	} {
		h := map[string][]string{"Traceparent": {parent}, "Tracestate": {tc.in}}
		ctx, span := b.Serve(context.Background(), telemetry.Carrier{Header: h}, "GET")
		out := map[string][]string{}
		span.Inject(ctx, telemetry.Carrier{Header: out})
		if got := strings.Join(out["Tracestate"], ","); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
	h := map[string][]string{"Traceparent": {parent}, "Tracestate": {"a=1", "b=2"}}
	if got := served(t, b, h).TraceState().String(); got != "a=1,b=2" {
		t.Errorf("two headers: got %q, want them joined", got)
	}
}

func TestBaggageIsPassedOn(t *testing.T) {
	b := open(t)
	in := map[string][]string{"Baggage": {"user=alice,tier=gold"}}
	ctx, _ := b.Serve(context.Background(), telemetry.Carrier{Header: in}, "GET")
	if got := baggage.FromContext(ctx).Member("user").Value(); got != "alice" {
		t.Errorf("user: got %q, want alice", got)
	}
	ctx, span := b.Call(ctx, telemetry.Carrier{}, "GET")
	out := map[string][]string{}
	if span.Carries(ctx) == telemetry.CarriesNothing {
		t.Fatal("nothing to carry")
	}
	span.Inject(ctx, telemetry.Carrier{Header: out})
	if got := strings.Join(out["Baggage"], ""); !strings.Contains(got, "user=alice") || !strings.Contains(got, "tier=gold") {
		t.Errorf("got %q", got)
	}
}

// Baggage of the context is its program's word, sampled or not: that of headers, which a
// handler has passed on, does not take its place.
func TestBaggageOfTheContextComesBeforeThatOfHeaders(t *testing.T) {
	b, _ := traced(t, sdktrace.AlwaysSample())
	member, _ := baggage.NewMember("user", "alice")
	own, _ := baggage.New(member)
	headers := map[string][]string{"Traceparent": {parent}, "Baggage": {"user=bob"}}
	ctx, span := b.Call(baggage.ContextWithBaggage(context.Background(), own), telemetry.Carrier{Header: headers}, "GET")
	if span.Inject(ctx, telemetry.Carrier{Header: headers}); strings.Join(headers["Baggage"], ";") != "user=alice" {
		t.Errorf("got %q", headers["Baggage"])
	}
	if got := span.Context().TraceID().String(); got != parent[3:35] {
		t.Errorf("got trace %s, want that of the headers", got)
	}
}

func TestGRPCsNamesAreInLowerCase(t *testing.T) {
	b := open(t)
	ctx, span := b.Serve(context.Background(), telemetry.Carrier{Header: map[string][]string{"traceparent": {parent}}, Lower: true}, "s/m")
	out := map[string][]string{}
	span.Inject(ctx, telemetry.Carrier{Header: out, Lower: true})
	if len(out["traceparent"]) != 1 || len(out["Traceparent"]) != 0 {
		t.Errorf("got %v", out)
	}
}

// A propagator that is not the W3C's is obeyed.
func TestAnotherPropagatorIsObeyed(t *testing.T) {
	b := open(t, func(c *telemetry.Config) { c.Propagator = renamed{} })
	ctx, span := b.Serve(context.Background(), telemetry.Carrier{Header: map[string][]string{"X-Trace": {parent}}}, "GET")
	if span.Context().TraceID().String() != parent[3:35] {
		t.Errorf("got %v", span.Context())
	}
	out := map[string][]string{}
	span.Inject(ctx, telemetry.Carrier{Header: out})
	if len(out["X-Trace"]) != 1 || len(out["Traceparent"]) != 0 || len(span.AppendTraceparent(nil)) != 0 {
		t.Errorf("got %v", out)
	}
}

func TestAPropagatorWithoutBaggageForwardsNone(t *testing.T) {
	b := open(t, func(c *telemetry.Config) { c.Propagator = propagation.TraceContext{} })
	ctx, _ := b.Serve(context.Background(), telemetry.Carrier{Header: map[string][]string{"Baggage": {"user=alice"}}}, "GET")
	if baggage.FromContext(ctx).Len() > 0 {
		t.Error("baggage came in")
	}
}

// renamed is W3C trace context in another header.
type renamed struct{}

func (renamed) Fields() []string { return []string{"x-trace"} }

func (renamed) Inject(ctx context.Context, c propagation.TextMapCarrier) {
	m := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, m)
	c.Set("x-trace", m["traceparent"])
}

func (renamed) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": c.Get("x-trace")})
}

// FuzzTraceContext compares reading and writing by hand with OpenTelemetry's own
// propagator, which is laxer in one thing: it reads higher versions that go on
// without a hyphen.
func FuzzTraceContext(f *testing.F) {
	f.Add(parent, "a=1,b=2")
	f.Add("01"+parent[2:]+"-x", "")
	f.Add("ff"+parent[2:], "=")
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", "a=1, b=2 ,")
	b := open(f)
	f.Fuzz(func(t *testing.T, traceparent, tracestate string) {
		if len(tracestate) > 512 {
			return
		}
		m := propagation.MapCarrier{"traceparent": traceparent, "tracestate": tracestate}
		want := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), m))
		ctx, span := b.Serve(context.Background(), telemetry.Carrier{Header: map[string][]string{"Traceparent": {traceparent}, "Tracestate": {tracestate}}}, "GET")
		got := trace.SpanContextFromContext(ctx)
		if !got.Equal(want) && len(traceparent) == 55 {
			t.Fatalf("%q, %q: got %v, want %v", traceparent, tracestate, got, want)
		}
		if !got.IsValid() {
			return
		}
		theirs, ours := propagation.MapCarrier{}, map[string][]string{}
		propagation.TraceContext{}.Inject(ctx, theirs)
		span.Inject(ctx, telemetry.Carrier{Header: ours})
		if first(ours["Traceparent"]) != theirs["traceparent"] || first(ours["Tracestate"]) != theirs["tracestate"] {
			t.Fatalf("wrote %v, want %v", ours, theirs)
		}
	})
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
