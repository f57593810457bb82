package meshgrpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// An audience is an SDK that is told what happens.
type audience struct {
	reader *sdkmetric.ManualReader
	spans  *tracetest.SpanRecorder
}

func newAudience() *audience {
	return &audience{sdkmetric.NewManualReader(), tracetest.NewSpanRecorder()}
}

func (a *audience) config() telemetry.Config {
	return telemetry.Config{
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(a.reader)),
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(a.spans)),
	}
}

// counts are those of a counter, by the values of these labels.
func (a *audience) counts(t testing.TB, name string, labels ...string) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := a.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok || m.Name != name {
				continue
			}
			for _, p := range sum.DataPoints {
				var values []string
				for _, l := range labels {
					v, _ := p.Attributes.Value(attribute.Key(l))
					values = append(values, v.Emit())
				}
				out[strings.Join(values, " ")] += p.Value
			}
		}
	}
	return out
}

// A duet is productpage, which calls ratings, and an audience for each.
type duet struct {
	caller, host *audience
	client       testpb.TestServiceClient
	ratings      *double
	at           *instance // that ratings is
}

// duo plays with ratings under policies, called by rules, in paused time.
func duo(t *testing.T, callers, policies string, run func(*testing.T, *duet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r, d := newRealm(t), &duet{caller: newAudience(), host: newAudience()}
		server := r.fleet.mesh(mesh.Config{
			Workload: mesh.Workload{Service: "ratings", Labels: map[string]string{"version": "v1"}}, Identity: r.ca.Workload("ratings"),
			Rules: rules.Static(policies), Telemetry: d.host.config(),
		})
		i := r.serve("ratings", discovery.Endpoint{Identity: server.Status().Identity.ID, Labels: map[string]string{"version": "v1"}}, nil, meshgrpc.ServerOptions(server)...)
		d.at, d.ratings = i, i.double
		d.client = r.clientOf(mesh.Config{
			Workload: mesh.Workload{Service: "productpage", Labels: map[string]string{"version": "v1"}}, Identity: r.ca.Workload("productpage"),
			Rules: rules.Static(callers), Telemetry: d.caller.config(),
		}, "ratings")
		run(t, d)
	})
}

func same(t *testing.T, what string, got, want map[string]int64) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestBothEndsTellOfACall(t *testing.T) {
	duo(t, "", "", func(t *testing.T, d *duet) {
		d.ratings.onUnary(func(_ context.Context, in *testpb.SimpleRequest) error {
			if in.FillUsername {
				return status.Error(codes.NotFound, "no such book")
			}
			return nil
		})
		for _, fails := range []bool{false, true} {
			_, _ = d.client.UnaryCall(context.Background(), &testpb.SimpleRequest{FillUsername: fails})
		}
		synctest.Wait()
		for _, c := range []struct {
			name, principal, security string
			a                         *audience
		}{{"the client", ids("productpage"), "unknown", d.caller}, {"the server", ids("productpage"), "mutual_tls", d.host}} {
			labels := []string{"source_workload", "destination_workload", "source_principal", "request_protocol", "response_code", "grpc_response_status", "connection_security_policy"}
			same(t, c.name, c.a.counts(t, "istio_requests_total", labels...), map[string]int64{
				"productpage-v1 ratings-v1 " + c.principal + " grpc 200 0 " + c.security: 1,
				"productpage-v1 ratings-v1 " + c.principal + " grpc 200 5 " + c.security: 1,
			})
			same(t, c.name+", messages there", c.a.counts(t, "istio_request_messages_total"), map[string]int64{"": 2})
			same(t, c.name+", messages back", c.a.counts(t, "istio_response_messages_total"), map[string]int64{"": 1})
		}
	})
}

// sum is that of a histogram.
func (a *audience) sum(t testing.TB, name string) (sum float64) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := a.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == name {
				for _, p := range h.DataPoints {
					sum += p.Sum
				}
			}
		}
	}
	return sum
}

// The one answer to a stream of requests is there when the call ends, and counts with
// what it weighs.
func TestTheAnswerToAStreamOfRequestsIsCounted(t *testing.T) {
	duo(t, "", "", func(t *testing.T, d *duet) {
		s, err := d.client.StreamingInputCall(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(&testpb.StreamingInputCallRequest{Payload: &testpb.Payload{Body: make([]byte, 1000)}}); err != nil {
			t.Fatal(err)
		}
		answer, err := s.CloseAndRecv()
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for name, a := range map[string]*audience{"the client": d.caller, "the server": d.host} {
			same(t, name, a.counts(t, "istio_response_messages_total"), map[string]int64{"": 1})
			if got, want := a.sum(t, "istio_response_bytes"), float64(proto.Size(answer)); got != want {
				t.Errorf("%s: %v bytes, want %v", name, got, want)
			}
		}
	})
}

// Where nobody asks for details, what tells of a call is used again for the next one.
func TestACallThatFailsHasNoAnswerOfTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, a := newFleet(t), newAudience()
		i := f.start("ratings", "v1")
		i.double.onUnary(func(context.Context, *testpb.SimpleRequest) error {
			if i.double.calls.Load()%2 == 0 {
				return status.Error(codes.NotFound, "no such book")
			}
			return nil
		})
		c := f.clientOf(mesh.Config{Telemetry: telemetry.Config{MeterProvider: a.config().MeterProvider}}, "ratings")
		for range 40 {
			_ = unaryAs(c)
		}
		synctest.Wait()
		same(t, "messages there", a.counts(t, "istio_request_messages_total"), map[string]int64{"": 40})
		same(t, "messages back", a.counts(t, "istio_response_messages_total"), map[string]int64{"": 20})
	})
}

func ids(name string) string { return "spiffe://cluster.local/ns/default/sa/" + name }

func TestMessagesOfAStreamAreCounted(t *testing.T) {
	duo(t, "", "", func(t *testing.T, d *duet) {
		d.ratings.onStream(func(s grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
			for {
				if _, err := s.Recv(); err == io.EOF {
					return s.Send(new(testpb.StreamingOutputCallResponse))
				} else if err != nil {
					return err
				}
			}
		})
		s, err := d.client.FullDuplexCall(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := s.Send(new(testpb.StreamingOutputCallRequest)); err != nil {
				t.Fatal(err)
			}
		}
		_ = s.CloseSend()
		for err == nil {
			_, err = s.Recv()
		}
		synctest.Wait()
		for name, a := range map[string]*audience{"the client": d.caller, "the server": d.host} {
			same(t, name, a.counts(t, "istio_requests_total", "grpc_response_status"), map[string]int64{"0": 1})
			same(t, name+", messages there", a.counts(t, "istio_request_messages_total"), map[string]int64{"": 3})
			same(t, name+", messages back", a.counts(t, "istio_response_messages_total"), map[string]int64{"": 1})
		}
	})
}

// A stream may never end: what has passed is told whenever somebody asks, once.
func TestMessagesOfAStreamAreToldWhileItLasts(t *testing.T) {
	duo(t, "", "", func(t *testing.T, d *duet) {
		d.ratings.onStream(func(s grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
			for {
				if _, err := s.Recv(); err == io.EOF {
					return nil
				} else if err != nil {
					return err
				}
				_ = s.Send(new(testpb.StreamingOutputCallResponse))
				_ = s.Send(new(testpb.StreamingOutputCallResponse))
			}
		})
		s, err := d.client.FullDuplexCall(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		told := func(passed, over int64) {
			t.Helper()
			synctest.Wait()
			for name, a := range map[string]*audience{"the client": d.caller, "the server": d.host} {
				for range 2 {
					same(t, name+", messages there", a.counts(t, "istio_request_messages_total", "destination_service_name"), map[string]int64{"ratings": passed})
					same(t, name+", messages back", a.counts(t, "istio_response_messages_total", "destination_service_name"), map[string]int64{"ratings": 2 * passed})
				}
				total := int64(0)
				for _, n := range a.counts(t, "istio_requests_total") {
					total += n
				}
				if total != over {
					t.Errorf("%s: %d requests are over, want %d", name, total, over)
				}
			}
		}
		for passed := int64(1); passed <= 3; passed++ {
			if err := s.Send(new(testpb.StreamingOutputCallRequest)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := s.Recv(); err != nil {
					t.Fatal(err)
				}
			}
			told(passed, 0)
		}
		_ = s.CloseSend()
		if _, err := s.Recv(); err != io.EOF {
			t.Error(err)
		}
		told(3, 1)
	})
}

func TestCallsThatAreRefusedCount(t *testing.T) {
	nobody := strings.Replace(onlyProductpage, "sa/productpage", "sa/reviews", 1)
	duo(t, "", nobody, func(t *testing.T, d *duet) {
		_ = unaryAs(d.client)
		_ = bidiAs(d.client)
		synctest.Wait()
		for name, a := range map[string]*audience{"the client": d.caller, "the server": d.host} {
			same(t, name, a.counts(t, "istio_requests_total", "response_code", "grpc_response_status"), map[string]int64{"200 7": 2})
		}
	})
}

// The request's span is under that of the try which it belongs to, and tries are
// under their call.
func TestACallIsOneTraceAcrossBothEnds(t *testing.T) {
	retried := virtualService("  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 2, retryOn: unavailable}")
	duo(t, retried, "", func(t *testing.T, d *duet) {
		calls := 0
		d.ratings.onUnary(func(context.Context, *testpb.SimpleRequest) error {
			if calls++; calls == 1 {
				return status.Error(codes.Unavailable, "not yet")
			}
			return nil
		})
		if err := unaryAs(d.client); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		out, in := d.caller.spans.Ended(), d.host.spans.Ended()
		if len(out) != 3 || len(in) != 2 {
			t.Fatalf("got %d and %d spans, want a call with two tries, and two requests", len(out), len(in))
		}
		call := out[2]
		for i := range 2 {
			if out[i].Parent().SpanID() != call.SpanContext().SpanID() {
				t.Errorf("try %d is not under the call", i+1)
			}
			if in[i].Parent().SpanID() != out[i].SpanContext().SpanID() {
				t.Errorf("request %d is not under its try", i+1)
			}
		}
		if got := call.Name(); got != "grpc.testing.TestService/UnaryCall" {
			t.Errorf("the call's span is named %q", got)
		}
		if events := call.Events(); len(events) != 1 || events[0].Name != "retry" {
			t.Errorf("got events %v, want one retry", events)
		}
	})
}

// A status comes last, after the headers that a try is judged by.
func TestTriesEndWithTheStatusOfTheirStream(t *testing.T) {
	duo(t, "", "", func(t *testing.T, d *duet) {
		d.ratings.onStream(func(s grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
			if err := s.Send(new(testpb.StreamingOutputCallResponse)); err != nil {
				return err
			}
			return status.Error(codes.DataLoss, "half of it")
		})
		_ = unaryAs(d.client)
		s, err := d.client.FullDuplexCall(context.Background())
		for err == nil {
			_, err = s.Recv()
		}
		synctest.Wait()
		got := map[string]int64{}
		for _, span := range slices.Concat(d.caller.spans.Ended(), d.host.spans.Ended()) {
			for _, a := range span.Attributes() {
				if a.Key == "rpc.response.status_code" {
					got[a.Value.AsString()]++
				}
			}
		}
		same(t, "call, try and request", got, map[string]int64{"OK": 3, "DATA_LOSS": 3})
	})
}

// A caller who waits for a connection makes one call, however often it is begun.
func TestACallThatWaitsCountsOnce(t *testing.T) {
	duo(t, "", "", func(t *testing.T, d *duet) {
		d.at.refuse()
		time.AfterFunc(5*time.Second, d.at.comeBack)
		_, err := d.client.UnaryCall(context.Background(), new(testpb.SimpleRequest), grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the client", d.caller.counts(t, "istio_requests_total", "grpc_response_status"), map[string]int64{"0": 1})
	})
}

// One that waits in vain counts, too.
func TestACallThatWaitsInVainCountsOnce(t *testing.T) {
	duo(t, "", "", func(t *testing.T, d *duet) {
		d.at.refuse()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if _, err := d.client.UnaryCall(ctx, new(testpb.SimpleRequest), grpc.WaitForReady(true)); err == nil {
			t.Fatal("an answer of nobody")
		}
		same(t, "the client", d.caller.counts(t, "istio_requests_total", "grpc_response_status"), map[string]int64{"4": 1})
	})
}

// Streams wait as well; each of their tries ends.
func TestTheTriesOfAStreamThatWaitsEnd(t *testing.T) {
	duo(t, "", "", func(t *testing.T, d *duet) {
		d.at.refuse()
		time.AfterFunc(5*time.Second, d.at.comeBack)
		s, err := d.client.FullDuplexCall(context.Background(), grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		_ = s.CloseSend()
		for err == nil {
			_, err = s.Recv()
		}
		synctest.Wait()
		if begun, ended := len(d.caller.spans.Started()), len(d.caller.spans.Ended()); begun != ended {
			t.Errorf("%d spans have begun, and %d ended", begun, ended)
		}
		same(t, "the client", d.caller.counts(t, "istio_requests_total", "grpc_response_status"), map[string]int64{"0": 1})
	})
}

// Of an error that is no status gRPC tells the caller what a context's end is called.
func TestWhatAHandlersContextSaysIsToldAsItsCallerHearsIt(t *testing.T) {
	duo(t, "", "", func(t *testing.T, d *duet) {
		ends := []error{context.DeadlineExceeded, fmt.Errorf("store: %w", context.Canceled), io.ErrUnexpectedEOF}
		d.ratings.onUnary(func(_ context.Context, in *testpb.SimpleRequest) error { return ends[in.ResponseSize] })
		for i := range ends {
			_, _ = d.client.UnaryCall(t.Context(), &testpb.SimpleRequest{ResponseSize: int32(i)})
		}
		d.ratings.onStream(func(bidi) error { return fmt.Errorf("store: %w", context.DeadlineExceeded) })
		_ = bidiAs(d.client)
		synctest.Wait()
		for name, a := range map[string]*audience{"the client": d.caller, "the server": d.host} {
			same(t, name, a.counts(t, "istio_requests_total", "grpc_response_status"), map[string]int64{"4": 2, "1": 1, "2": 1})
		}
	})
}

// A handler that panics is told of before whoever recovers has a word.
func TestAHandlerThatPanicsIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, host := newRealm(t), newAudience()
		server := r.fleet.mesh(mesh.Config{Workload: mesh.Workload{Service: "ratings"}, Telemetry: host.config()})
		recovers := []grpc.ServerOption{
			grpc.ChainUnaryInterceptor(func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (_ any, err error) {
				defer func() {
					if recover() != nil {
						err = status.Error(codes.Internal, "recovered")
					}
				}()
				return next(ctx, in)
			}),
			grpc.ChainStreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
				defer func() {
					if recover() != nil {
						err = status.Error(codes.Internal, "recovered")
					}
				}()
				return next(srv, s)
			}),
		}
		i := r.serve("ratings", discovery.Endpoint{}, nil, append(recovers, meshgrpc.ServerOptions(server)...)...)
		i.double.onUnary(func(context.Context, *testpb.SimpleRequest) error { panic("unary") })
		i.double.onStream(func(grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
			panic("stream")
		})
		client := r.clientOf(mesh.Config{}, "ratings")
		_, _ = unaryAs(client), bidiAs(client)
		synctest.Wait()
		same(t, "the server", host.counts(t, "istio_requests_total", "grpc_response_status"), map[string]int64{"2": 2})
		if n := len(host.spans.Ended()); n != 2 {
			t.Errorf("got %d spans that have ended, want 2", n)
		}
	})
}

// What passes counts as what Istio's proxies call it.
func TestCallsThatPassAreCountedAtTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a := newRealm(t), newAudience()
		i := r.serve("ratings", discovery.Endpoint{}, nil)
		i.double.onStream(func(grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
			return status.Error(codes.NotFound, "no such book")
		})
		client := r.clientOf(mesh.Config{Telemetry: a.config()}, i.endpoint.Address)
		_, _ = unaryAs(client), bidiAs(client)
		synctest.Wait()
		same(t, "the client", a.counts(t, "istio_requests_total", "destination_service", "destination_service_name", "request_protocol", "grpc_response_status"), map[string]int64{
			i.endpoint.Address + " PassthroughCluster grpc 0": 1,
			i.endpoint.Address + " PassthroughCluster grpc 5": 1,
		})
	})
}

// Whoever panics ends a call that passes, too.
func TestACallThatPassesCountsWhereSomebodyPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a, p := newRealm(t), newAudience(), &panics{left: 2}
		i := r.serve("ratings", discovery.Endpoint{}, nil)
		client := r.clientOf(mesh.Config{Telemetry: a.config()}, i.endpoint.Address, grpc.WithChainUnaryInterceptor(p.unary), grpc.WithChainStreamInterceptor(p.stream))
		for _, call := range []func(testpb.TestServiceClient) error{unaryAs, bidiAs} {
			if !panicked(t, func() error { return call(client) }) {
				t.Error("it did not panic")
			}
		}
		synctest.Wait()
		same(t, "the client", a.counts(t, "istio_requests_total", "destination_service_name", "grpc_response_status"), map[string]int64{"PassthroughCluster 2": 2})
	})
}

// The access log tells how long upstream took to answer, whoever reads on for however
// long.
func TestTheAccessLogTellsTheTimeOfUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newRealm(t)
		i := r.serve("ratings", discovery.Endpoint{}, nil)
		i.double.onUnary(func(context.Context, *testpb.SimpleRequest) error { time.Sleep(time.Second); return nil })
		i.double.onStream(func(s grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
			time.Sleep(2 * time.Second)
			err := s.SendHeader(nil)
			time.Sleep(time.Second)
			return err
		})
		client := r.clientOf(mesh.Config{Telemetry: telemetry.Config{LogRequests: true, AccessLog: slog.New(slog.NewTextHandler(&log, nil))}}, "ratings")
		if err := errors.Join(unaryAs(client), bidiAs(client)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, want := range []string{" duration=1000 upstream_service_time=1000 ", " duration=3000 upstream_service_time=2000 "} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("there is no%s: %s", want, &log)
			}
		}
	})
}
