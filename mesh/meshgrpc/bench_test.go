package meshgrpc_test

import (
	"context"
	"math"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// loopback is the addresses of three servers.
func loopback(b testing.TB) (addresses []string) {
	b.Helper()
	for range 3 {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		s := grpc.NewServer()
		testpb.RegisterTestServiceServer(s, newDouble(lis.Addr().String(), "v1"))
		var served sync.WaitGroup
		served.Go(func() { _ = s.Serve(lis) })
		b.Cleanup(func() {
			s.Stop()
			served.Wait()
		})
		addresses = append(addresses, lis.Addr().String())
	}
	return addresses
}

func meshed(b testing.TB) testpb.TestServiceClient {
	b.Helper()
	source, err := discovery.NewStatic(map[string][]discovery.Endpoint{"ratings": discovery.Addresses(loopback(b)...)})
	if err != nil {
		b.Fatal(err)
	}
	m, err := mesh.New(context.Background(), mesh.Config{Discovery: source})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.Close() })
	conn, err := meshgrpc.NewClient(m, "mesh:///ratings")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return testpb.NewTestServiceClient(conn)
}

func plain(b testing.TB) testpb.TestServiceClient {
	b.Helper()
	several := manual.NewBuilderWithScheme("several")
	var state resolver.State
	for _, a := range loopback(b) {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: a})
	}
	several.InitialState(state)
	conn, err := grpc.NewClient("several:///ratings", grpc.WithResolvers(several), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return testpb.NewTestServiceClient(conn)
}

func benchmark(b *testing.B, c testpb.TestServiceClient) {
	in := new(testpb.SimpleRequest)
	if _, err := c.UnaryCall(context.Background(), in); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := c.UnaryCall(context.Background(), in); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkUnaryThroughTheMesh(b *testing.B) { benchmark(b, meshed(b)) }
func BenchmarkUnaryRoundRobin(b *testing.B)     { benchmark(b, plain(b)) }

// inTheWay answers in the place of the wire: what is left is the journey.
func inTheWay(context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption) error {
	return nil
}

const everything = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ratings}
spec:
  hosts: [ratings]
  http:
  - match: [{uri: {prefix: /grpc.testing.TestService/}}]
    route:
    - {destination: {host: ratings, subset: v1}, weight: 90}
    - {destination: {host: ratings, subset: v2}, weight: 10}
    retries: {attempts: 2, retryOn: "unavailable,reset"}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ratings}
spec:
  host: ratings
  trafficPolicy:
    connectionPool: {http: {http2MaxRequests: 1000}}
    outlierDetection: {consecutive5xxErrors: 5}
`

func canned(tb testing.TB, documents string) *grpc.ClientConn {
	f := newFleet(tb)
	f.start("ratings", "v1")
	f.start("ratings", "v2")
	return f.dialMesh(f.mesh(mesh.Config{Rules: rules.Static(documents)}), "ratings", grpc.WithChainUnaryInterceptor(inTheWay))
}

func TestTheJourneyOfAUnaryCallAllocates(t *testing.T) {
	for name, c := range map[string]struct {
		documents string
		want      float64
	}{ // one each is gRPC's, for the interceptor that is in the way
		"a try":                            {everything, 2},
		"the name of a host without rules": {"", 3},
		"a limit":                          {virtualService("  - route: [{destination: {host: ratings}}]\n    timeout: 5s"), 2}, // without its channel, which gRPC asks for on the way
	} {
		t.Run(name, func(t *testing.T) {
			conn, in, out := canned(t, c.documents), new(testpb.SimpleRequest), new(testpb.SimpleResponse)
			got := testing.AllocsPerRun(1000, func() {
				if err := conn.Invoke(context.Background(), testpb.TestService_UnaryCall_FullMethodName, in, out); err != nil {
					t.Error(err)
				}
			})
			if got != c.want {
				t.Errorf("%v allocations, want %v", got, c.want)
			}
		})
	}
}

// over counts the allocations of a unary call over a connection, both sides': the
// least of several rounds, for a round in which goroutines wait for the processor,
// or the collector empties pools, has more.
func over(tb testing.TB, c testpb.TestServiceClient) float64 {
	const rounds, calls = 8, 300
	in, least := new(testpb.SimpleRequest), math.Inf(1)
	for range rounds {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range calls {
			if _, err := c.UnaryCall(context.Background(), in); err != nil {
				tb.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		least = min(least, float64(after.Mallocs-before.Mallocs)/calls)
	}
	return least
}

func TestAUnaryCallAllocatesLittleBeyondGRPC(t *testing.T) {
	f := newFleet(t)
	i := f.start("ratings", "v1")
	conn, err := grpc.NewClient("passthrough:///ratings", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStaticStreamWindowSize(4<<20), // no PINGs that cost something, too
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return f.dial(ctx, "", i.endpoint.Address) }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	alone := over(t, testpb.NewTestServiceClient(conn))
	through := f.client("ratings", virtualService("  - route: [{destination: {host: ratings}}]"))
	// A try, and what tells it of its stream's end. The race detector has pools forget
	// some of what they are given, which is about one more.
	if got := over(t, through) - alone; got < 1.5 || got >= 3.5 {
		t.Errorf("%.2f allocations beyond the %.2f of gRPC, want 2", got, alone)
	}
}

func BenchmarkJourney(b *testing.B) {
	for name, documents := range map[string]string{
		"no rules": "", "rules": everything,
		"limits": strings.Replace(everything, "attempts: 2,", "attempts: 2, perTryTimeout: 2s,", 1),
	} {
		b.Run(name, func(b *testing.B) {
			conn, in, out := canned(b, documents), new(testpb.SimpleRequest), new(testpb.SimpleResponse)
			b.ReportAllocs()
			for b.Loop() {
				if err := conn.Invoke(context.Background(), testpb.TestService_UnaryCall_FullMethodName, in, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
