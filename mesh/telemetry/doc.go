// Package telemetry tells what passes through a mesh, over the OpenTelemetry API:
// Istio's standard metrics, traces, an access log; and a live topology.
//
//	t, err := telemetry.New(telemetry.Config{Local: telemetry.WorkloadOf("productpage-v1", "default", labels)})
//	defer t.Close()
//	edge := t.Edge(telemetry.Link{Peer: reviews, Service: telemetry.Service{Host: "reviews.default.svc.cluster.local", Name: "reviews"}})
//	...
//	edge.Record(&telemetry.Result{Start: start, Duration: took, Code: 200, GRPC: -1})
//	t.Graph(10 * time.Second).Mermaid()
//
// It knows nothing of HTTP libraries, of rules' files, or of how a mesh decides:
// who carries a request tells it how the request came out.
//
// # Metrics
//
// istio_requests_total and its like have the labels that Istio's proxies give
// them, so that Istio's dashboards and Kiali work behind any exporter to
// Prometheus. Names are whole, so that exporters with and without suffixes agree.
//
// A request leaves one record behind, in some 30 ns and without an allocation. A
// goroutine counts the records, some hundreds at a time, and whoever collects
// counts what is left: a collection misses nothing that was recorded before it.
// This way around, because the SDK asks 20 ns for each of the 25 labels of each
// measurement: a request has four. Counts are told to the SDK as sums, when somebody
// collects and every few thousand requests. Durations and sizes it must be told one
// by one, which costs 2 µs of the process's time for each request, unless
// [Config.Histograms] hands them over as the histograms that they are: package
// producer does that for OpenTelemetry's SDK.
//
// Of a raw connection, [Edge.Opened], [Edge.Closed] and [Edge.Transferred] are told at
// once: there are few of them. Whoever carries it asks [Telemetry.ReportingInterval].
// The messages of a gRPC stream, which may never end, are told by [Edge.Messages] when
// [Config.State] is asked for.
//
// # Traces
//
// [Telemetry.Call] begins the span of a call, [Span.Attempt] one for each try,
// [Telemetry.Serve] that of a request that is served. W3C trace context and baggage
// are read and written by hand; another global propagator is obeyed. A request
// that is not sampled costs what the tracer provider asks, and the header.
//
// # Rules
//
// [Compile] makes [Settings] of telemetry.istio.io resources: metrics disabled,
// tags overridden, sampling, custom tags, the access log and its filter.
// Expressions are in the part of CEL that package cel describes in
// mesh/internal. Package rules warns of what is not obeyed when it reads them; Compile
// does for who makes resources by hand.
//
// # Defaults
//
//  1. Everything goes to the global providers, which drop it until a program sets
//     others. There is no access log.
//  2. At most 1000 series, of which hosts outside the mesh take half at most; what comes beside them is counted by class of status,
//     with unknown labels and otel.metric.overflow.
//  3. The topology remembers a minute, and at most 1000 edges.
//  4. Without a global propagator that has fields: W3C trace context and baggage.
//
// # Departures from Istio
//
//  1. Durations have fractions of milliseconds.
//  2. Callers tell servers of the mesh who they are, by X-Envoy-Peer-Metadata;
//     servers do not answer in kind, for callers know endpoints from discovery.
//  3. Providers that rules name all stand for what Config names.
//  4. Messages of streams are told when somebody collects, not every five seconds.
//
// # Concurrency
//
// All but a Span, which is one goroutine's, is safe for concurrent use.
package telemetry
