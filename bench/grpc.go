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

// observedGRPC is grpc-go with the telemetry that people give it: metrics through an
// SDK's reader, spans that are never sampled.
func observedGRPC(to *server) (grpcSide, error) {
	meters := metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))
	spans := trace.NewTracerProvider(trace.WithSampler(trace.NeverSample()))
	return roundRobinGRPC(to, grpc.WithStatsHandler(otelgrpc.NewClientHandler(
		otelgrpc.WithMeterProvider(meters), otelgrpc.WithTracerProvider(spans))))
}

// meshedGRPC is the mesh, everything on.
func meshedGRPC(to *server) (grpcSide, error) {
	m, err := worldAt(to.grpc).mesh()
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

func measureGRPC(p plan, t *table) error {
	to, err := startServer()
	if err != nil {
		return err
	}
	defer to.stop()
	bare, err := roundRobinGRPC(to)
	if err != nil {
		return err
	}
	defer bare.close()
	for _, c := range []struct {
		name  string
		open  func(*server) (grpcSide, error)
		least float64 // of bare's rate; 0: no budget
	}{
		{"the mesh, everything on", meshedGRPC, 0.90},
		{"a timeout, set by the caller", limitedGRPC, 0},
		{"otelgrpc", observedGRPC, 0},
	} {
		other, err := c.open(to)
		if err != nil {
			return err
		}
		t.section("gRPC, unary: " + c.name + ", against grpc-go with round_robin")
		if err := measureCalls(p, t, bare, other, c.least); err != nil {
			return err
		}
		other.close()
	}
	return nil
}

func measureCalls(p plan, t *table, bare, other grpcSide, least float64) error {
	for _, callers := range []int{1, 16, 64} {
		r, err := duel(p, callers, bare, other)
		if err != nil {
			return err
		}
		t.note(fmt.Sprintf("%d callers, bare", callers), figure{r.bare, "/s"})
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
