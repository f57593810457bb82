package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	api "istio.io/api/telemetry/v1alpha1"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// spec decodes the spec of a Telemetry as Istio does, from JSON.
func spec(t testing.TB, text string) *api.Telemetry {
	t.Helper()
	out := new(api.Telemetry)
	if err := out.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

// sample is a request with details, to reviews.
func sample() telemetry.Result {
	r := ok()
	r.Details = &telemetry.Details{
		Method: "GET", Scheme: "http", Host: "reviews:9080", Path: "/reviews/7?full=1", Protocol: "HTTP/1.1",
		RequestHeader: map[string][]string{"X-Debug": {"on"}, "User-Agent": {"curl"}, "X-Request-Id": {"42"}, "X-Forwarded-For": {"10.1.1.1"}},
		SourceAddress: "10.0.0.9:4711", UpstreamAddress: "10.0.0.1:9080", Route: "reviews", Attempts: 2,
		Cluster: "outbound|9080|v2|reviews.default.svc.cluster.local", Upstream: 2 * time.Millisecond,
	}
	return r
}

func TestTagOverrides(t *testing.T) {
	for _, tc := range []struct {
		name, tags string
		change     func(l map[string]string)
	}{
		{"a constant", `{"team": {"value": "'bookinfo'"}}`, func(l map[string]string) { l["team"] = "bookinfo" }},
		{"an attribute", `{"request_host": {"value": "request.host"}, "request_method": {"value": "request.method"}}`, func(l map[string]string) {
			l["request_host"], l["request_method"] = "reviews:9080", "GET"
		}},
		{"a header that is not there", `{"tenant": {"value": "request.headers['x-tenant']"}}`, func(l map[string]string) { l["tenant"] = "unknown" }},
		{"a number", `{"attempts": {"value": "upstream.request_attempt_count"}}`, func(l map[string]string) { l["attempts"] = "2" }},
		{"one of Istio's replaced", `{"source_app": {"value": "request.headers['x-debug'] == 'on' ? 'debugger' : 'app'"}}`, func(l map[string]string) { l["source_app"] = "debugger" }},
		{"some of Istio's removed", `{"response_flags": {"operation": "REMOVE"}, "source_cluster": {"operation": "REMOVE"}}`, func(l map[string]string) {
			delete(l, "response_flags")
			delete(l, "source_cluster")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := open(t)
			apply(t, b, spec(t, `{"metrics": [{"overrides": [{"match": {"metric": "REQUEST_COUNT"}, "tagOverrides": `+tc.tags+`}]}]}`))
			r := sample()
			b.Edge(toReviews()).Record(&r)
			want := outbound()
			tc.change(want)
			sameLabels(t, labels(b.counts(t, "istio_requests_total")[0].Attributes), want)
			h := b.collect(t)["istio_request_duration_milliseconds"].Data.(metricdata.Histogram[float64])
			sameLabels(t, labels(h.DataPoints[0].Attributes), outbound()) // the override is not about it
		})
	}
}

func TestSeriesOfTagsAreBounded(t *testing.T) {
	b := open(t, pulled, func(c *telemetry.Config) { c.Series = 20 })
	apply(t, b, spec(t, `{"metrics": [{"overrides": [{"tagOverrides": {"path": {"value": "request.path"}}}]}]}`))
	e := b.Edge(toReviews())
	for i := range 1000 {
		r := sample()
		r.Details.Path = fmt.Sprint("/", i)
		e.Record(&r)
	}
	points := b.counts(t, "istio_requests_total")
	if len(points) != 21 {
		t.Errorf("got %d series, want 20 and one for the rest", len(points))
	}
	if n := b.total(t, "istio_requests_total"); n != 1000 {
		t.Errorf("got %d requests, want 1000", n)
	}
}

func TestDisablingMetrics(t *testing.T) {
	all := []string{"istio_requests_total", "istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"}
	for _, tc := range []struct{ name, overrides, client, server string }{
		{"nothing", `[]`, "1111", "1111"},
		{"one", `[{"match": {"metric": "REQUEST_SIZE"}, "disabled": true}]`, "1101", "1101"},
		{"one, on one side", `[{"match": {"metric": "REQUEST_COUNT", "mode": "SERVER"}, "disabled": true}]`, "1111", "0111"},
		{"all", `[{"disabled": true}]`, "0000", "0000"},
		{"all, on one side", `[{"match": {"mode": "CLIENT"}, "disabled": true}]`, "0000", "1111"},
		{"by its name", `[{"match": {"customMetric": "istio_requests_total"}, "disabled": true}]`, "0111", "0111"},
		{"disabled, then enabled", `[{"match": {"metric": "REQUEST_SIZE"}, "disabled": true}, {"match": {"metric": "REQUEST_SIZE"}, "disabled": false}]`, "1111", "1111"},
		{"all, then an override brings them back", `[{"disabled": true}, {"match": {"metric": "REQUEST_SIZE", "mode": "CLIENT"}, "disabled": true}]`, "1101", "0000"},
	} {
		for side, want := range map[telemetry.Reporter]string{telemetry.Source: tc.client, telemetry.Destination: tc.server} {
			b := open(t)
			apply(t, b, spec(t, `{"metrics": [{"overrides": `+tc.overrides+`}]}`))
			r := ok()
			b.Edge(telemetry.Link{Reporter: side}).Record(&r)
			got := ""
			seen := b.collect(t)
			for _, name := range all {
				if _, there := seen[name]; there {
					got += "1"
				} else {
					got += "0"
				}
			}
			if got != want {
				t.Errorf("%s, %s: got %s, want %s of %v", tc.name, side, got, want, all)
			}
		}
	}
}

func TestSettingsChangeUnderLoad(t *testing.T) {
	b := open(t)
	e := b.Edge(toReviews())
	for i := range 10 {
		apply(t, b, spec(t, fmt.Sprintf(`{"metrics": [{"overrides": [{"tagOverrides": {"generation": {"value": "'%d'"}}}]}]}`, i%2)))
		r := ok()
		e.Record(&r)
	}
	got := map[string]int64{}
	for _, p := range b.counts(t, "istio_requests_total") {
		got[labels(p.Attributes)["generation"]] = p.Value
	}
	if got["0"] != 5 || got["1"] != 5 {
		t.Errorf("got %v, want 5 of each", got)
	}
}

func TestWhichResourcesApply(t *testing.T) {
	tag := func(namespace, name, value, selector string) telemetry.Resource {
		return telemetry.Resource{Namespace: namespace, Name: name, Spec: spec(t, `{`+selector+`"metrics": [{"overrides": [{"tagOverrides": {"by": {"value": "'`+value+`'"}, "`+value+`": {"value": "'yes'"}}}]}]}`)}
	}
	const selected, other = `"selector": {"matchLabels": {"app": "productpage"}},`, `"selector": {"matchLabels": {"app": "reviews"}},`
	const targeted = `"targetRef": {"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "waypoint"},`
	for _, tc := range []struct {
		name      string
		resources []telemetry.Resource
		by, all   string
	}{
		{"none", nil, "", ""},
		{"the root's", []telemetry.Resource{tag("istio-system", "a", "root", "")}, "root", "root"},
		{"the namespace's over the root's", []telemetry.Resource{tag("default", "b", "namespace", ""), tag("istio-system", "a", "root", "")}, "namespace", "root namespace"},
		{"the workload's over all", []telemetry.Resource{tag("default", "c", "workload", selected), tag("default", "b", "namespace", ""), tag("istio-system", "a", "root", "")}, "workload", "root namespace workload"},
		{"the oldest of a namespace", []telemetry.Resource{tag("default", "a", "first", ""), tag("default", "b", "second", "")}, "first", "first"},
		{"another workload's", []telemetry.Resource{tag("default", "a", "workload", other)}, "", ""},
		{"another namespace's", []telemetry.Resource{tag("other", "a", "other", "")}, "", ""},
		{"a selector in the root", []telemetry.Resource{tag("istio-system", "a", "root", selected)}, "", ""},
		{"a waypoint's", []telemetry.Resource{tag("default", "a", "waypoint", targeted)}, "", ""},
	} {
		b := open(t)
		s, problems := telemetry.Compile(tc.resources, telemetry.Scope{Labels: map[string]string{"app": "productpage"}})
		if len(problems) > 0 {
			t.Errorf("%s: %v", tc.name, problems)
		}
		b.Apply(s)
		r := ok()
		b.Edge(toReviews()).Record(&r)
		got := labels(b.counts(t, "istio_requests_total")[0].Attributes)
		if got["by"] != tc.by {
			t.Errorf("%s: got %q, want %q", tc.name, got["by"], tc.by)
		}
		for _, name := range strings.Fields(tc.all) {
			if got[name] != "yes" {
				t.Errorf("%s: no tag of %s", tc.name, name)
			}
		}
	}
}

func TestProblems(t *testing.T) {
	for text, want := range map[string]string{
		`{"metrics": [{"overrides": [{"tagOverrides": {"a": {}}}]}]}`:                                          "refused spec.metrics[0].overrides[0].tagOverrides[a].value: empty: UPSERT wants an expression",
		`{"metrics": [{"overrides": [{"tagOverrides": {"a": {"operation": "REMOVE", "value": "b"}}}]}]}`:       `refused spec.metrics[0].overrides[0].tagOverrides[a].value: "b": REMOVE takes none`,
		`{"metrics": [{"overrides": [{"tagOverrides": {"a": {"value": "((("}}}]}]}`:                            `spec.metrics[0].overrides[0].tagOverrides[a].value: "(((": column 4: the end: want a value: the tag is unknown`,
		`{"metrics": [{"overrides": [{"tagOverrides": {"a": {"value": "node.id"}}}]}]}`:                        "spec.metrics[0].overrides[0].tagOverrides[a].value: no attribute node.id: there is none of this name, or none within a process",
		`{"metrics": [{"overrides": [{"match": {"customMetric": "mine"}, "disabled": true}]}]}`:                `spec.metrics[0].overrides[0].match.customMetric: "mine": there is no such metric in this process`,
		`{"metrics": [{"providers": [{"name": ""}]}]}`:                                                         "refused spec.metrics[0].providers[0].name: empty: want a name",
		`{"accessLogging": [{"filter": {"expression": "((("}}]}`:                                               `refused spec.accessLogging[0].filter.expression: "(((": column 4: the end: want a value`,
		`{"tracing": [{"randomSamplingPercentage": 101}]}`:                                                     "refused spec.tracing[0].randomSamplingPercentage: 101: want 0 to 100",
		`{"tracing": [{"useRequestIdForTraceSampling": false}]}`:                                               "spec.tracing[0].useRequestIdForTraceSampling: has no effect: traces are sampled by their own context",
		`{"tracing": [{"customTags": {"a": {"formatter": {"value": "%REQ(a)%"}}}}]}`:                           "spec.tracing[0].customTags[a].formatter: is not supported: the tag is left out",
		`{"tracing": [{"customTags": {"a": {"literal": {"value": ""}}}}]}`:                                     "refused spec.tracing[0].customTags[a].literal.value: empty: want a value",
		`{"tracing": [{"customTags": {"a": {}}}]}`:                                                             "spec.tracing[0].customTags[a]: empty: want literal, environment or header: the tag is left out",
		`{"tracing": [{}], "metrics": [{}], "accessLogging": [{"filter": {"expression": "nonsense.at.all"}}]}`: "spec.accessLogging[0].filter.expression: no attribute nonsense.at: there is none of this name, or none within a process",
	} {
		s, problems := telemetry.Compile([]telemetry.Resource{{Namespace: "default", Name: "t", Spec: spec(t, text)}}, telemetry.Scope{})
		if len(problems) != 1 || s == nil {
			t.Errorf("%s: got %v, want one problem", text, problems)
			continue
		}
		p := problems[0]
		got := p.Field + ": " + p.Message
		if p.Refused {
			got = "refused " + got
		}
		if got != want || p.Error() != "Telemetry default/t: "+strings.TrimPrefix(want, "refused ") {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// sampled counts the recorded spans of n calls.
func sampled(b bench, n int, ctx context.Context, c telemetry.Carrier) (recorded, told int) {
	for range n {
		ctx, span := b.Call(ctx, c, "GET")
		if span.Recording() {
			recorded++
			span.Finish(b.Edge(toReviews()), &telemetry.Result{Code: 200})
		}
		h := map[string][]string{}
		span.Inject(ctx, telemetry.Carrier{Header: h})
		if strings.HasSuffix(first(h["Traceparent"]), "-01") {
			told++
		}
	}
	return recorded, told
}

func TestSampling(t *testing.T) {
	at := func(flags trace.TraceFlags) context.Context {
		return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags}))
	}
	nameless := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, TraceFlags: trace.FlagsSampled}))
	const n = 2000
	for _, tc := range []struct {
		name, tracing string
		ctx           context.Context
		low, high     int
	}{
		{"the provider decides", `[]`, context.Background(), n, n},
		{"none", `[{"randomSamplingPercentage": 0}]`, context.Background(), 0, 0},
		{"all", `[{"randomSamplingPercentage": 100}]`, context.Background(), n, n},
		{"a quarter", `[{"randomSamplingPercentage": 25}]`, context.Background(), n / 5, n * 3 / 10},
		{"decided before: yes", `[{"randomSamplingPercentage": 0}]`, at(trace.FlagsSampled), n, n},
		{"decided before: no", `[{"randomSamplingPercentage": 100}]`, at(0), 0, 0},
		{"a span without an ID decides nothing", `[{"randomSamplingPercentage": 0}]`, nameless, 0, 0},
		{"the other side's", `[{"match": {"mode": "SERVER"}, "randomSamplingPercentage": 0}]`, context.Background(), n, n},
		{"no spans", `[{"disableSpanReporting": true}]`, context.Background(), 0, 0},
	} {
		b, _ := traced(t, sdktrace.ParentBased(sdktrace.AlwaysSample()))
		apply(t, b, spec(t, `{"tracing": `+tc.tracing+`}`))
		recorded, told := sampled(b, n, tc.ctx, telemetry.Carrier{})
		if recorded < tc.low || recorded > tc.high || told != recorded {
			t.Errorf("%s: %d recorded, %d told to the next, want %d to %d, and as many", tc.name, recorded, told, tc.low, tc.high)
		}
	}
}

// The calls of a handler go by what was decided about the request it serves.
func TestADecisionHoldsForTheWholeTrace(t *testing.T) {
	b, _ := traced(t, sdktrace.ParentBased(sdktrace.AlwaysSample()))
	apply(t, b, spec(t, `{"tracing": [{"randomSamplingPercentage": 50}]}`))
	for range 100 {
		ctx, server := b.Serve(context.Background(), telemetry.Carrier{}, "GET")
		_, client := b.Call(ctx, telemetry.Carrier{}, "GET")
		if server.Recording() != client.Recording() || server.Context().TraceID() != client.Context().TraceID() {
			t.Fatalf("server: %v, client: %v", server.Context(), client.Context())
		}
		server.Finish(b.Edge(telemetry.Link{}), &telemetry.Result{})
		client.Finish(b.Edge(telemetry.Link{}), &telemetry.Result{})
	}
}

func TestPropagationWithoutSpansAndSpansWithoutPropagation(t *testing.T) {
	b, kept := traced(t, sdktrace.AlwaysSample())
	apply(t, b, spec(t, `{"tracing": [{"disableSpanReporting": true}]}`))
	ctx, span := b.Serve(context.Background(), telemetry.Carrier{Header: map[string][]string{"Traceparent": {parent}}}, "GET")
	_, call := b.Call(ctx, telemetry.Carrier{}, "GET")
	if got := string(call.AppendTraceparent(nil)); got != parent || span.Recording() {
		t.Errorf("got %s, want %s passed on", got, parent)
	}
	apply(t, b, spec(t, `{"tracing": [{"disableContextPropagation": true}]}`))
	ctx, span = b.Call(context.Background(), telemetry.Carrier{}, "GET")
	if !span.Recording() || span.Carries(ctx) != telemetry.CarriesNothing || len(span.AppendTraceparent(nil)) > 0 {
		t.Error("want a span that the next hop is not told of")
	}
	span.Finish(b.Edge(toReviews()), &telemetry.Result{})
	if len(kept.Ended()) != 1 {
		t.Errorf("got %d spans, want 1", len(kept.Ended()))
	}
}

func TestCustomTags(t *testing.T) {
	t.Setenv("INMESH_TEST_ZONE", "eu-1")
	b, kept := traced(t, sdktrace.AlwaysSample())
	apply(t, b, spec(t, `{"tracing": [{"enableIstioTags": false, "customTags": {
		"literal": {"literal": {"value": "a"}},
		"zone": {"environment": {"name": "INMESH_TEST_ZONE"}},
		"none": {"environment": {"name": "INMESH_TEST_NONE"}},
		"default": {"environment": {"name": "INMESH_TEST_NONE", "defaultValue": "d"}},
		"debug": {"header": {"name": "x-debug"}},
		"tenant": {"header": {"name": "x-tenant", "defaultValue": "nobody"}}}}]}`))
	_, span := b.Call(context.Background(), telemetry.Carrier{}, "GET")
	r := sample()
	span.Finish(b.Edge(toReviews()), &r)
	s := kept.Ended()[0]
	for name, want := range map[string]string{"literal": "a", "zone": "eu-1", "none": "", "default": "d", "debug": "on", "tenant": "nobody", "istio.canonical_service": ""} {
		if got := value(s, attribute.Key(name)); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// logged is a bench with an access log.
func logged(t testing.TB, change ...func(*telemetry.Config)) (bench, *bytes.Buffer) {
	t.Helper()
	out := new(bytes.Buffer)
	return open(t, append(change, func(c *telemetry.Config) { c.AccessLog = slog.New(slog.NewJSONHandler(out, nil)) })...), out
}

func TestTheAccessLogIsOffByDefault(t *testing.T) {
	b, out := logged(t)
	r := sample()
	b.Log(context.Background(), b.Edge(toReviews()), &r)
	if b.Wants(telemetry.Source) || out.Len() > 0 {
		t.Errorf("got %s", out)
	}
}

func TestAccessLogFields(t *testing.T) {
	b, out := logged(t, func(c *telemetry.Config) { c.LogRequests = true })
	if !b.Wants(telemetry.Source) {
		t.Fatal("it wants no details")
	}
	r := sample()
	r.Flags = telemetry.UpstreamConnectFailure | telemetry.RetriesExhausted
	b.Log(context.Background(), b.Edge(toReviews()), &r)
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	for name, want := range map[string]any{
		"msg": "access", "reporter": "source", "method": "GET", "path": "/reviews/7?full=1", "protocol": "HTTP/1.1",
		"response_code": 200.0, "response_flags": "UF,URX", "response_code_details": "-", "connection_termination_details": "-", "upstream_transport_failure_reason": "-",
		"bytes_received": 100.0, "bytes_sent": 2000.0, "duration": 3.0, "upstream_service_time": 2.0,
		"x_forwarded_for": "10.1.1.1", "user_agent": "curl", "request_id": "42", "authority": "reviews:9080",
		"upstream_host": "10.0.0.1:9080", "upstream_cluster": "outbound|9080|v2|reviews.default.svc.cluster.local", "upstream_local_address": "-",
		"downstream_local_address": "-", "downstream_remote_address": "10.0.0.9:4711", "requested_server_name": "-", "route_name": "reviews",
		"attempts": 2.0, "peer": reviews.Principal, "trace_id": "-",
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
}

func TestAccessLogRules(t *testing.T) {
	for _, tc := range []struct {
		name, logging string
		always        bool
		code          int
		want          bool
	}{
		{"not asked for", `[]`, false, 200, false},
		{"turned on", `[{"providers": [{"name": "envoy"}]}]`, false, 200, true},
		{"turned off", `[{"disabled": true}]`, true, 200, false},
		{"for servers only", `[{"match": {"mode": "SERVER"}}]`, false, 200, false},
		{"a filter that holds", `[{"filter": {"expression": "response.code >= 400"}}]`, false, 503, true},
		{"one that does not", `[{"filter": {"expression": "response.code >= 400"}}]`, false, 200, false},
		{"one that fails", `[{"filter": {"expression": "request.headers['x'] == 'y'"}}]`, false, 200, false},
		{"one that is no bool", `[{"filter": {"expression": "response.code"}}]`, false, 200, false},
		{"by mutual TLS", `[{"filter": {"expression": "connection.mtls && request.url_path == '/reviews/7'"}}]`, false, 200, true},
		{"by a flag", `[{"filter": {"expression": "response.flags == 0 && xds.route_name == 'reviews'"}}]`, false, 200, true},
		{"by the host, which is one of the headers", `[{"filter": {"expression": "request.headers['host'] == 'reviews:9080' && 'host' in request.headers"}}]`, false, 200, true},
		{"inherited", `[{"filter": {"expression": "response.code == 1"}}, {}]`, false, 200, false},
		{"none beside providers, who log all", `[{"filter": {"expression": "response.code == 1"}}, {"providers": [{"name": "otel"}]}]`, false, 200, true},
		{"the later one", `[{"filter": {"expression": "response.code == 1"}}, {"filter": {"expression": "true"}}]`, false, 200, true},
	} {
		b, out := logged(t, func(c *telemetry.Config) { c.LogRequests = tc.always })
		apply(t, b, spec(t, `{"accessLogging": `+tc.logging+`}`))
		r := sample()
		r.Code = tc.code
		b.Log(context.Background(), b.Edge(toReviews()), &r)
		if got := out.Len() > 0; got != tc.want {
			t.Errorf("%s: logged: %t, want %t", tc.name, got, tc.want)
		}
	}
}

func TestAShareOfTheRequestsIsLogged(t *testing.T) {
	b, out := logged(t, func(c *telemetry.Config) { c.LogRequests, c.LogFraction = true, 0.25 })
	for range 2000 {
		r := sample()
		b.Log(context.Background(), b.Edge(toReviews()), &r)
	}
	if n := bytes.Count(out.Bytes(), []byte("\n")); n < 400 || n > 600 {
		t.Errorf("got %d lines, want about 500", n)
	}
}

// A path without a query has an empty one, as in Envoy; without details there is none.
func TestAPathWithoutAQueryHasAnEmptyOne(t *testing.T) {
	b, out := logged(t)
	apply(t, b, spec(t, `{"accessLogging": [{"filter": {"expression": "request.query == ''"}}]}`))
	r := sample()
	r.Details.Path = "/reviews/7"
	if b.Log(context.Background(), b.Edge(toReviews()), &r); out.Len() == 0 {
		t.Error("it is not logged")
	}
}
