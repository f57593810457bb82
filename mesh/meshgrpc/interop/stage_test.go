package interop_test

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	orcadata "github.com/cncf/xds/go/xds/data/orca/v3"
	orcapb "github.com/cncf/xds/go/xds/service/orca/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/orca"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

type setting struct {
	mutual   bool
	rules    string
	refused  float64 // share of the calls that a server refuses
	repeated bool    // by the caller, as often as a rule aborts them
}

// play starts two servers behind meshes and returns a connection through another.
func play(t *testing.T, s setting) *grpc.ClientConn {
	t.Helper()
	caller, _, _ := stage(t, s)
	var options []grpc.DialOption
	if s.repeated {
		options = repeating()
	}
	conn, err := meshgrpc.NewClient(caller, "mesh:///suite", options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// stage starts two servers behind meshes, and a mesh that calls them.
func stage(t *testing.T, s setting) (caller *mesh.Mesh, endpoints []discovery.Endpoint, served *atomic.Int64) {
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
	served = new(atomic.Int64)
	for range 2 {
		endpoints = append(endpoints, serve(t, newMesh(t, config("suite")), s.refused, served))
	}
	source, err := discovery.NewStatic(map[string][]discovery.Endpoint{"suite": endpoints})
	if err != nil {
		t.Fatal(err)
	}
	c := config("caller")
	c.Discovery, c.Rules = source, rules.Static(s.rules)
	c.ReplayLimit = 1 << 20 // some streams of the suite are longer than what is kept otherwise
	return newMesh(t, c), endpoints, served
}

// repeating is a caller that begins a call anew as long as it is UNAVAILABLE: what
// a rule aborts, no rule repeats.
func repeating() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, in, out any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			for {
				if err := invoke(ctx, method, in, out, conn, opts...); status.Code(err) != codes.Unavailable {
					return err
				}
			}
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			for {
				if s, err := open(ctx, desc, conn, method, opts...); status.Code(err) != codes.Unavailable {
					return s, err
				}
			}
		}),
	}
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
// it looks at them, and counts all.
func serve(t *testing.T, m *mesh.Mesh, refused float64, calls *atomic.Int64) discovery.Endpoint {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refuse := func() error {
		calls.Add(1)
		if rand.Float64() < refused {
			return status.Error(codes.Unavailable, "not now")
		}
		return nil
	}
	options := append(meshgrpc.ServerOptions(m), orca.CallMetricsServerOption(nil),
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
	recorder := orca.NewServerMetricsRecorder()
	testpb.RegisterTestServiceServer(server, named{
		interop.NewTestServer(interop.NewTestServerOptions{MetricsRecorder: recorder}), lis.Addr().String(),
	})
	orcapb.RegisterOpenRcaServiceServer(server, reports{from: recorder})
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(lis) })
	t.Cleanup(func() {
		server.Stop()
		served.Wait()
	})
	return discovery.Endpoint{Address: lis.Addr().String(), Identity: m.Status().Identity.ID}
}

// reports tells callers of a server's load. gRPC's own does so each 30 s at most.
type reports struct {
	orcapb.UnimplementedOpenRcaServiceServer
	from orca.ServerMetricsRecorder
}

// StreamCoreMetrics implements orcapb.OpenRcaServiceServer.
func (r reports) StreamCoreMetrics(_ *orcapb.OrcaLoadReportRequest, to orcapb.OpenRcaService_StreamCoreMetricsServer) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		now := r.from.ServerMetrics() // less than zero: not set
		report := &orcadata.OrcaLoadReport{CpuUtilization: max(now.CPUUtilization, 0), MemUtilization: max(now.MemUtilization, 0), Utilization: now.Utilization}
		if err := to.Send(report); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-to.Context().Done():
			return nil
		}
	}
}

// named is the suite's server, which does not say who it is.
type named struct {
	testpb.TestServiceServer
	name string
}

// UnaryCall implements testpb.TestServiceServer.
func (n named) UnaryCall(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	out, err := n.TestServiceServer.UnaryCall(ctx, in)
	if err == nil && in.FillServerId {
		out.ServerId = n.name
	}
	return out, err
}

// wrapped is a connection of the caller's own, by one of gRPC's policies, that a rule
// is put around.
func wrapped(t *testing.T, policy string, servers int) grpc.ClientConnInterface {
	t.Helper()
	caller, endpoints, _ := stage(t, setting{rules: retries})
	var state resolver.State
	for _, e := range endpoints[:servers] {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: e.Address}}})
	}
	theirs := manual.NewBuilderWithScheme("theirs")
	theirs.InitialState(state)
	conn, err := grpc.NewClient("theirs:///suite", grpc.WithResolvers(theirs), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"`+policy+`": {}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ruled, err := meshgrpc.Wrap(caller, "suite", conn)
	if err != nil {
		t.Fatal(err)
	}
	return ruled
}
