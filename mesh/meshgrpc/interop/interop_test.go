// Package interop_test plays gRPC's interop suite through the mesh: each of its
// calls that needs no cloud, in the clear and by mutual TLS, with a rule that
// retries, and with servers that refuse some calls.
//
// The functions of the suite end the process when they are not content.
package interop_test

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const retries = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: suite}
spec:
  hosts: [suite]
  http:
  - route: [{destination: {host: suite}}]
    retries: {attempts: 10, retryOn: "unavailable,reset,connect-failure", backoff: 1ms}
`

type setting struct {
	mutual  bool
	rules   string
	refused float64 // share of the calls that a server refuses
}

// play starts two servers behind meshes and returns a connection through another.
func play(t *testing.T, s setting) *grpc.ClientConn {
	t.Helper()
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		t.Fatal(err)
	}
	config := func(name string) mesh.Config {
		c := mesh.Config{Workload: mesh.Workload{Service: name}}
		if s.mutual {
			c.Identity = ca.Workload(name)
		}
		return c
	}
	var endpoints []discovery.Endpoint
	for range 2 {
		endpoints = append(endpoints, serve(t, newMesh(t, config("suite")), s.refused))
	}
	source, err := discovery.NewStatic(map[string][]discovery.Endpoint{"suite": endpoints})
	if err != nil {
		t.Fatal(err)
	}
	caller := config("caller")
	caller.Discovery, caller.Rules = source, rules.Static(s.rules)
	caller.ReplayLimit = 1 << 20 // some streams of the suite are longer than what is kept otherwise
	conn, err := meshgrpc.NewClient(newMesh(t, caller), "mesh:///suite")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func newMesh(t *testing.T, c mesh.Config) *mesh.Mesh {
	t.Helper()
	m, err := mesh.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// serve starts the suite's own server, which refuses a share of the calls before
// it looks at them.
func serve(t *testing.T, m *mesh.Mesh, refused float64) discovery.Endpoint {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refuse := func() error {
		if rand.Float64() < refused {
			return status.Error(codes.Unavailable, "not now")
		}
		return nil
	}
	options := append(meshgrpc.ServerOptions(m),
		grpc.ChainUnaryInterceptor(func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			if err := refuse(); err != nil {
				return nil, err
			}
			return handle(ctx, in)
		}),
		grpc.ChainStreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			if err := refuse(); err != nil {
				return err
			}
			return handle(srv, s)
		}))
	server := grpc.NewServer(options...)
	testpb.RegisterTestServiceServer(server, interop.NewTestServer())
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(lis) })
	t.Cleanup(func() {
		server.Stop()
		served.Wait()
	})
	return discovery.Endpoint{Address: lis.Addr().String(), Identity: m.Status().Identity.ID}
}

const hurried = "TimeoutOnSleepingServer"

// suite are the calls that need no cloud, and no policy of load balancing in the
// mesh's place.
var suite = []struct {
	name string
	do   func(ctx context.Context, conn *grpc.ClientConn)
}{
	{"EmptyUnaryCall", of(interop.DoEmptyUnaryCall)},
	{"LargeUnaryCall", of(interop.DoLargeUnaryCall)},
	{"ClientStreaming", of(interop.DoClientStreaming)},
	{"ServerStreaming", of(interop.DoServerStreaming)},
	{"PingPong", of(interop.DoPingPong)},
	{"EmptyStream", of(interop.DoEmptyStream)},
	{hurried, of(interop.DoTimeoutOnSleepingServer)},
	{"CancelAfterBegin", of(interop.DoCancelAfterBegin)},
	{"CancelAfterFirstResponse", of(interop.DoCancelAfterFirstResponse)},
	{"CustomMetadata", of(interop.DoCustomMetadata)},
	{"StatusCodeAndMessage", of(interop.DoStatusCodeAndMessage)},
	{"SpecialStatusMessage", of(interop.DoSpecialStatusMessage)},
	{"UnimplementedService", func(ctx context.Context, conn *grpc.ClientConn) {
		interop.DoUnimplementedService(ctx, testpb.NewUnimplementedServiceClient(conn))
	}},
	{"UnimplementedMethod", interop.DoUnimplementedMethod},
}

func of(do func(context.Context, testpb.TestServiceClient, ...grpc.CallOption)) func(context.Context, *grpc.ClientConn) {
	return func(ctx context.Context, conn *grpc.ClientConn) { do(ctx, testpb.NewTestServiceClient(conn)) }
}

func TestTheSuite(t *testing.T) {
	for name, s := range map[string]setting{
		"plain":                       {},
		"mutual TLS":                  {mutual: true},
		"retries":                     {rules: retries},
		"retries of what is refused":  {rules: retries, refused: 0.01},
		"all of that by mutual TLS":   {rules: retries, refused: 0.01, mutual: true},
		"most calls are refused once": {rules: retries, refused: 0.2},
	} {
		t.Run(name, func(t *testing.T) {
			conn := play(t, s)
			for _, one := range suite {
				if one.name == hurried && s.refused > 0 { // its millisecond is over before the second try
					continue
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				for range 3 {
					one.do(ctx, conn)
				}
				cancel()
			}
		})
	}
}
