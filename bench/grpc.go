package main

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
)

// The service has one unary method, which answers as the HTTP one does.
const grpcMethod = "/bench.Reviews/Get"

func newGRPC() *grpc.Server {
	s := grpc.NewServer()
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Reviews", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Get", Handler: answerGRPC}},
	}, struct{}{})
	return s
}

func answerGRPC(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	if err := decode(new(wrapperspb.StringValue)); err != nil {
		return nil, err
	}
	return wrapperspb.String("An extremely entertaining play."), nil
}

// A grpcSide is one of those that are compared.
type grpcSide struct {
	conn    *grpc.ClientConn
	close   func()
	timeout time.Duration // that the caller sets; 0: none
}

func (s grpcSide) load(n int, d time.Duration) (load, error) {
	return underLoad(n, d, func(int) error { return s.call(context.Background()) })
}

func (s grpcSide) call(ctx context.Context) error {
	if s.timeout > 0 {
		limited, leave := context.WithTimeout(ctx, s.timeout)
		defer leave()
		ctx = limited
	}
	return s.conn.Invoke(ctx, grpcMethod, wrapperspb.String("7"), new(wrapperspb.StringValue))
}

// roundRobinGRPC is grpc-go alone.
func roundRobinGRPC(to *server, more ...grpc.DialOption) (grpcSide, error) {
	var state resolver.State
	for _, a := range to.grpc {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: a})
	}
	several := manual.NewBuilderWithScheme("several")
	several.InitialState(state)
	conn, err := grpc.NewClient("several:///reviews", append(more, grpc.WithResolvers(several),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`))...)
	if err != nil {
		return grpcSide{}, err
	}
	return grpcSide{conn: conn, close: func() { _ = conn.Close() }}, nil
}

// limitedGRPC is grpc-go with the timeout that the mesh has by its rules.
func limitedGRPC(to *server) (grpcSide, error) {
	s, err := roundRobinGRPC(to)
	s.timeout = 2 * time.Second
	return s, err
}

// observedGRPC is grpc-go with the telemetry that people give it.
func observedGRPC(to *server) (grpcSide, error) { return roundRobinGRPC(to, observed()) }

// observed is metrics through an SDK's reader, and spans that are never sampled.
func observed() grpc.DialOption {
	meters := metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))
	spans := trace.NewTracerProvider(trace.WithSampler(trace.NeverSample()))
	return grpc.WithStatsHandler(otelgrpc.NewClientHandler(
		otelgrpc.WithMeterProvider(meters), otelgrpc.WithTracerProvider(spans)))
}

// meshedGRPC is the mesh, everything on. It has as many connections as the others, one
// to each address. What it pays for here alone: xDS, which this program links, has
// gRPC look for a load report in the trailers of each call whose picker hears of its
// end, as the mesh's does and round_robin's does not.
func meshedGRPC(to *server) (grpcSide, error) { return meshFor(to, byDefault) }

// toldGRPC is the mesh with the telemetry of observedGRPC.
func toldGRPC(to *server) (grpcSide, error) { return meshFor(to, byAnSDK) }

func meshFor(to *server, a audience) (grpcSide, error) {
	w := worldAt(to.grpc)
	w.audience = a
	m, err := w.mesh()
	if err != nil {
		return grpcSide{}, err
	}
	conn, err := meshgrpc.NewClient(m, "mesh:///reviews")
	if err != nil {
		return grpcSide{}, err
	}
	return grpcSide{conn: conn, close: func() {
		_ = conn.Close()
		_ = m.Close()
	}}, nil
}

// A match is what is compared with what, and its budget.
type match struct {
	name, against string
	other, bare   func(*server) (grpcSide, error)
	least         float64 // of bare's rate; 0: no budget
}

func plainGRPC(to *server) (grpcSide, error) { return roundRobinGRPC(to) }

func measureGRPC(p plan, t *table) error {
	to, err := startServer()
	if err != nil {
		return err
	}
	defer to.stop()
	const mesh, alone, equal = "the mesh, everything on", "grpc-go with round_robin", "grpc-go's xDS (retries, timeout, outliers, limits) with otelgrpc"
	for _, m := range []match{
		{mesh, alone, meshedGRPC, plainGRPC, 0.90},
		{mesh, "grpc-go with round_robin and the same timeout, set by the caller", meshedGRPC, limitedGRPC, 0},
		{"the mesh, everything on, telemetry by an SDK", "grpc-go with round_robin and otelgrpc", toldGRPC, observedGRPC, 0},
		{mesh, equal, meshedGRPC, xdsGRPC, 1.25},
		{"a timeout, set by the caller", alone, limitedGRPC, plainGRPC, 0},
		{"otelgrpc", alone, observedGRPC, plainGRPC, 0},
		{equal, alone, xdsGRPC, plainGRPC, 0},
	} {
		if err := m.measure(p, t, to); err != nil {
			return err
		}
	}
	return nil
}

func (m match) measure(p plan, t *table, to *server) error {
	bare, err := m.bare(to)
	if err != nil {
		return err
	}
	defer bare.close()
	other, err := m.other(to)
	if err != nil {
		return err
	}
	defer other.close()
	t.section("gRPC, unary: " + m.name + ", against " + m.against)
	return measureCalls(p, t, bare, other, m.least)
}

func measureCalls(p plan, t *table, bare, other grpcSide, least float64) error {
	for _, callers := range []int{1, 16, 64} {
		r, err := duel(p, callers, bare, other)
		if err != nil {
			return err
		}
		t.note(fmt.Sprintf("%d callers, the latter", callers), figure{r.bare, "/s"})
		if least > 0 {
			t.atLeast("… calls per second", figure{r.rate, "×"}, least)
		} else {
			t.note("… calls per second", figure{r.rate, "×"})
		}
		t.note("… p99", figure{r.p99, "×"})
		t.note("… CPU of the caller's process", figure{r.cpu, "×"})
	}
	return nil
}
