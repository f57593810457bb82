package meshgrpc_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// wrapped is a client on a connection that was dialled otherwise.
func (f *fleet) wrapped(i *instance, documents string) (testpb.TestServiceClient, *mesh.Mesh) {
	f.tb.Helper()
	conn, err := grpc.NewClient("passthrough:///"+i.endpoint.Address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return f.dial(ctx, "tcp", address) }))
	if err != nil {
		f.tb.Fatal(err)
	}
	f.tb.Cleanup(func() { _ = conn.Close() })
	m := f.mesh(mesh.Config{Rules: rules.Static(documents)})
	w, err := meshgrpc.Wrap(m, "ratings", conn)
	if err != nil {
		f.tb.Fatal(err)
	}
	return testpb.NewTestServiceClient(w), m
}

func TestAWrappedConnectionObeysTheRules(t *testing.T) {
	for face, do := range map[string]func(testpb.TestServiceClient) error{"unary": unaryAs, "stream": bidiAs} {
		t.Run(face, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				i := f.start("elsewhere", "v1")
				i.double.onUnary(func(context.Context, *testpb.SimpleRequest) error {
					if i.double.calls.Load()%2 == 1 {
						return status.Error(codes.Unavailable, "not now")
					}
					return nil
				})
				i.double.onStream(func(s bidi) error {
					if i.double.calls.Load()%2 == 1 {
						return status.Error(codes.Unavailable, "not now")
					}
					return nil
				})
				c, m := f.wrapped(i, retryUnavailable)
				for range 5 {
					if err := do(c); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if got := m.Clusters()[0]; i.double.calls.Load() != 10 || got.Requests != 0 || got.Via != "passthrough:///"+i.endpoint.Address || got.Endpoints[0].Address != got.Via {
					t.Errorf("%d calls, %+v", i.double.calls.Load(), got)
				}
			})
		})
	}
}

func TestAWrappedConnectionIsEjectedAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("elsewhere", "v1")
		i.double.onUnary(func(context.Context, *testpb.SimpleRequest) error { return status.Error(codes.Internal, "broken") })
		c, _ := f.wrapped(i, virtualService("  - route: [{destination: {host: ratings, subset: v7}}]\n    timeout: 1s")+ejectAtThree)
		for range 10 {
			_ = unaryAs(c)
		}
		if err := unaryAs(c); i.double.calls.Load() != 3 || !errors.Is(err, mesh.ErrNoCluster) && !errors.Is(err, mesh.ErrNoHealthy) {
			t.Errorf("%d calls, %v", i.double.calls.Load(), err)
		}
	})
}

func TestAWrappedConnectionToAServiceWithoutRulesIsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("elsewhere", "v1")
		c, m := f.wrapped(i, "")
		if err := errors.Join(unaryAs(c), bidiAs(c)); err != nil || len(m.Clusters()) != 0 {
			t.Errorf("%v, %v", err, m.Clusters())
		}
		i.double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error {
			<-ctx.Done()
			return ctx.Err()
		})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := c.UnaryCall(ctx, &testpb.SimpleRequest{}); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
	})
}
