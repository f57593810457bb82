package telemetry_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// histogram is the only point of one.
func (b bench) histogram(t *testing.T, name string) metricdata.HistogramDataPoint[float64] {
	t.Helper()
	h, _ := b.collect(t)[name].Data.(metricdata.Histogram[float64])
	if len(h.DataPoints) != 1 {
		t.Fatalf("%s: got %d points, want 1", name, len(h.DataPoints))
	}
	return h.DataPoints[0]
}

func TestACollectionSeesAllThatWasRecordedBefore(t *testing.T) {
	b := open(t)
	e := b.Edge(toReviews())
	want := int64(0)
	for _, n := range []int{1, 255, 256, 257, 1000} {
		for range n {
			r := ok()
			e.Record(&r)
		}
		want += int64(n)
		if got := b.total(t, "istio_requests_total"); got != want {
			t.Fatalf("got %d requests, want %d", got, want)
		}
	}
	d := b.histogram(t, "istio_request_duration_milliseconds")
	if d.Count != uint64(want) || d.Sum != 3*float64(want) {
		t.Errorf("durations: got %d, %v ms in all, want %d, %v", d.Count, d.Sum, want, 3*want)
	}
	if s := b.histogram(t, "istio_response_bytes"); s.Sum != 2000*float64(want) {
		t.Errorf("response bytes: got %v, want %v", s.Sum, 2000*want)
	}
}

func TestNothingIsLostAtTheEnd(t *testing.T) {
	b := open(t)
	r := ok()
	b.Edge(toReviews()).Record(&r)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := b.total(t, "istio_requests_total"); got != 1 {
		t.Errorf("after Close: got %d requests, want 1", got)
	}
	if err := b.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func TestBucketsAreEnvoys(t *testing.T) {
	b := open(t)
	e := b.Edge(toReviews())
	for _, d := range []time.Duration{500 * time.Microsecond, time.Millisecond, 1001 * time.Microsecond, time.Hour, 2 * time.Hour} {
		e.Record(&telemetry.Result{Duration: d, Code: 200})
	}
	p := b.histogram(t, "istio_request_duration_milliseconds")
	want := []float64{0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000}
	if fmt.Sprint(p.Bounds) != fmt.Sprint(want) {
		t.Errorf("bounds: got %v, want %v", p.Bounds, want)
	}
	if got := p.BucketCounts; got[0] != 1 || got[1] != 1 || got[2] != 1 || got[18] != 1 || got[19] != 1 {
		t.Errorf("got %v: want an upper bound to be in its bucket", got)
	}
}

func TestManyAtOnce(t *testing.T) {
	b := open(t)
	const goroutines, each = 8, 2000
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			e := b.Edge(toReviews())
			for i := range each {
				r := ok()
				r.Code = 200 + 100*((g+i)%4)
				e.Record(&r)
			}
		})
	}
	for range 20 {
		b.collect(t)
		b.Graph(time.Second)
	}
	wg.Wait()
	if got := b.total(t, "istio_requests_total"); got != goroutines*each {
		t.Errorf("got %d requests, want %d", got, goroutines*each)
	}
}

// Whatever was recorded before a collection begins is in it, wherever it was at
// the moment.
func TestACollectionMissesNothingWhileOthersRecord(t *testing.T) {
	b := open(t, pulled)
	var recorded atomic.Int64
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for range 4 {
		wg.Go(func() {
			e := b.Edge(toReviews())
			for ctx.Err() == nil {
				r := ok()
				e.Record(&r)
				recorded.Add(1)
			}
		})
	}
	for range 200 {
		before := recorded.Load()
		if got := b.total(t, "istio_requests_total"); got < before {
			t.Errorf("got %d requests, want the %d that had been recorded", got, before)
			break
		}
	}
	stop()
	wg.Wait()
}

func TestSeriesAreBounded(t *testing.T) {
	b := open(t, pulled, func(c *telemetry.Config) { c.Series = 10 })
	for i := range 100 {
		l := toReviews()
		l.Service.Host = fmt.Sprintf("host-%d.example.com", i)
		e := b.Edge(l)
		for code := 100; code < 1000; code++ {
			e.Record(&telemetry.Result{Code: code, GRPC: -1, Flags: telemetry.Flags(code)})
		}
	}
	points := b.counts(t, "istio_requests_total")
	if len(points) > 10+9 {
		t.Errorf("got %d series, want 10 and one for each class of status", len(points))
	}
	total, over := int64(0), int64(0)
	for _, p := range points {
		total += p.Value
		if _, ok := p.Attributes.Value("otel.metric.overflow"); ok {
			over += p.Value
		}
	}
	if total != 90_000 || over != total-10 {
		t.Errorf("got %d requests, %d of them beside the series, want 90000 and all but 10", total, over)
	}
}

// Whoever calls many hosts outside, webhooks for example, still sees the mesh.
func TestHostsOutsideLeaveRoomForTheMesh(t *testing.T) {
	b := open(t, pulled, func(c *telemetry.Config) { c.Series = 20 })
	r := ok()
	for i := range 100 {
		for _, name := range []string{telemetry.Passthrough, telemetry.BlackHole} {
			b.Edge(telemetry.Link{Service: telemetry.Service{Host: fmt.Sprint("customer", i), Name: name}}).Record(&r)
		}
	}
	for i := range 10 {
		b.Edge(telemetry.Link{Service: telemetry.Service{Host: fmt.Sprint("reviews", i)}}).Record(&r)
	}
	sum := b.collect(t)["istio_requests_total"].Data.(metricdata.Sum[int64])
	named := map[string]int{}
	for _, p := range sum.DataPoints {
		if _, over := p.Attributes.Value("otel.metric.overflow"); !over {
			v, _ := p.Attributes.Value("destination_service_name")
			named[strings.TrimRight(v.AsString(), "0123456789")]++
		}
	}
	if named["reviews"] != 10 || named[telemetry.Passthrough]+named[telemetry.BlackHole] != 10 {
		t.Errorf("got series of %v, want 10 of the mesh and as many of what is outside", named)
	}
}

func TestGRPCMessages(t *testing.T) {
	b := open(t)
	e := b.Edge(grpc(toReviews()))
	e.Messages(2, 3)
	e.Record(&telemetry.Result{Code: 200, RequestMessages: 5, ResponseMessages: 7})
	if n := b.total(t, "istio_request_messages_total"); n != 7 {
		t.Errorf("requests: got %d messages, want 7", n)
	}
	if n := b.total(t, "istio_response_messages_total"); n != 10 {
		t.Errorf("responses: got %d messages, want 10", n)
	}
	h := b.Edge(toReviews())
	h.Record(&telemetry.Result{Code: 200, GRPC: -1, RequestMessages: 5})
	if n := b.total(t, "istio_request_messages_total"); n != 7 {
		t.Errorf("HTTP: got %d messages, want none more", n)
	}
}

// A sampled request leaves an exemplar, so that a dashboard leads to its trace.
func TestASampledRequestIsAnExemplar(t *testing.T) {
	b := open(t)
	id := trace.TraceID{1, 2, 3}
	r := ok()
	r.Span = trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{4}, TraceFlags: trace.FlagsSampled})
	b.Edge(toReviews()).Record(&r)
	p := b.histogram(t, "istio_request_duration_milliseconds")
	if len(p.Exemplars) != 1 || trace.TraceID(p.Exemplars[0].TraceID) != id {
		t.Errorf("got %v, want one exemplar of trace %v", p.Exemplars, id)
	}
}

func TestWithoutAnSDK(t *testing.T) {
	b := open(t, func(c *telemetry.Config) { c.MeterProvider = noop.NewMeterProvider() })
	r := ok()
	b.Edge(toReviews()).Record(&r)
	b.Flush()
	if g := b.Graph(time.Minute); len(g.Edges) != 1 {
		t.Errorf("the topology has %d edges, want 1 also without metrics", len(g.Edges))
	}
}

func TestBadConfigs(t *testing.T) {
	for want, c := range map[string]telemetry.Config{
		"telemetry: LogFraction: 2 is not from 0 to 1": {LogFraction: 2},
		"telemetry: Series: -1 is below 0":             {Series: -1},
	} {
		if _, err := telemetry.New(c); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestTheMeshsOwnMetrics(t *testing.T) {
	now := time.Now()
	b := open(t, func(c *telemetry.Config) {
		c.Build = "v1.2.3"
		c.State = func() telemetry.State {
			return telemetry.State{
				MirrorDrops: 4,
				Certificate: now.Add(time.Hour),
				Rules:       telemetry.RulesState{Version: "abc", Objects: 5, Rejected: 1, Reloads: 2, Failures: 3, Changed: now},
				Destinations: []telemetry.DestinationState{{
					Service: "reviews", Subset: "v1", Port: 9080, Retries: 6, RetryLimit: -1, RequestLimit: 100,
					Ejections: 7, Hosts: telemetry.HostStates{Closed: 2, Open: 1}, Discovered: now.Add(-time.Minute),
				}},
			}
		}
	})
	all := b.collect(t)
	for name, want := range map[string]float64{
		"inmesh.retries": 6, "inmesh.requests.limit": 100, "inmesh.ejections": 7, "inmesh.mirror.drops": 4, "inmesh.rules.objects": 5,
		"inmesh.rules.rejected": 1, "inmesh.rules.reloads": 5, "inmesh.hosts": 3, "inmesh.rules.info": 1, "istio_build": 1,
		"inmesh.certificate.expiry.timestamp": float64(now.Add(time.Hour).UnixMilli()) / 1000,
	} {
		if got := sumOf(all[name]); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if _, ok := all["inmesh.retries.limit"]; ok {
		t.Error("inmesh.retries.limit: want no point where there is no limit")
	}
	if age := sumOf(all["inmesh.discovery.age"]); age < 60 || age > 120 {
		t.Errorf("inmesh.discovery.age: got %v, want a minute", age)
	}
}

// Two ways to the same destination are two, whatever both are called.
func TestDestinationsByConnectionsOfTheCallersOwnStandApart(t *testing.T) {
	b := open(t, func(c *telemetry.Config) {
		c.State = func() telemetry.State {
			return telemetry.State{Destinations: []telemetry.DestinationState{
				{Service: "reviews", Requests: 2, Hosts: telemetry.HostStates{Closed: 3}},
				{Service: "reviews", Requests: 5, Hosts: telemetry.HostStates{Closed: 1}, Via: "dns:///reviews"},
			}}
		}
	})
	all := b.collect(t)
	for name, want := range map[string]float64{"inmesh.requests.active": 7, "inmesh.hosts": 4} {
		if got := sumOf(all[name]); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// sumOf adds up the points of a counter or a gauge.
func sumOf(m metricdata.Metrics) (sum float64) {
	switch d := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range d.DataPoints {
			sum += float64(p.Value)
		}
	case metricdata.Gauge[int64]:
		for _, p := range d.DataPoints {
			sum += float64(p.Value)
		}
	case metricdata.Gauge[float64]:
		for _, p := range d.DataPoints {
			sum += p.Value
		}
	}
	return sum
}

// A sink remembers how to collect.
type sink struct {
	collect  func() []telemetry.Histogram
	detached bool
}

func (s *sink) Attach(collect func() []telemetry.Histogram) (detach func()) {
	s.collect = collect
	return func() { s.detached = true }
}

func TestASinkTakesOverTheHistograms(t *testing.T) {
	s := new(sink)
	b := open(t, func(c *telemetry.Config) { c.Histograms = s })
	e := b.Edge(toReviews())
	for range 3 {
		r := ok()
		e.Record(&r)
	}
	got := s.collect()
	if len(got) != 3 || got[0].Name != "istio_request_duration_milliseconds" || got[0].Unit != "ms" {
		t.Fatalf("got %+v, want the three histograms", got)
	}
	p := got[0].Points[0]
	if p.Counts[2] != 3 || p.Sum != 9 {
		t.Errorf("got %v, %v ms in all, want 3 below 5 ms, 9 ms", p.Counts, p.Sum)
	}
	if v, _ := p.Attributes.Value(attribute.Key("destination_app")); v.AsString() != "reviews" {
		t.Errorf("got labels %v", p.Attributes)
	}
	if _, there := b.collect(t)["istio_request_duration_milliseconds"]; there {
		t.Error("the histogram is recorded as well")
	}
	if err := b.Close(); err != nil || !s.detached {
		t.Errorf("Close: %v, detached: %t", err, s.detached)
	}
}

func TestTheGlobalProvidersAreTheDefault(t *testing.T) {
	tm, err := telemetry.New(telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r := ok()
	tm.Edge(telemetry.Link{}).Record(&r)
	ctx, span := tm.Call(context.Background(), telemetry.Carrier{}, "GET")
	if span.Recording() || span.Carries(ctx) != telemetry.CarriesNothing {
		t.Error("a trace goes on that nobody began")
	}
	if err := tm.Close(); err != nil {
		t.Error(err)
	}
}
