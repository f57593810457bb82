package meshgrpc_test

import (
	"context"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
)

// A service that nobody knows any more is not the mesh's: who waits for it goes where
// its name leads, as who comes anew does.
func TestACallThatWaitsPassesOnWhenItsServiceIsGone(t *testing.T) {
	for face, do := range patient {
		t.Run(face, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				f.start("far.example", "v1").refuse()
				outside := f.start("outside", "v1")
				f.listeners["far.example:8080"] = f.listeners[outside.endpoint.Address]
				c, began := f.clientOf(mesh.Config{}, "far.example:8080"), time.Now()
				time.AfterFunc(10*time.Second, func() { f.source.Remove("far.example") })
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := do(ctx, c); err != nil || time.Since(began) < 10*time.Second {
					t.Errorf("got %v after %v", err, time.Since(began))
				}
				if n := outside.double.calls.Load(); n != 1 {
					t.Errorf("%d calls were passed on, want 1", n)
				}
			})
		})
	}
}

// Who has its stream already is told: what is said by it cannot go elsewhere.
func TestAStreamThatWaitsFailsWhenItsServiceIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, dials := newFleet(t), 0
		f.start("far.example", "v1")
		dial := func(_ context.Context, network, _ string) (net.Conn, error) {
			if dials++; dials > 1 {
				return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
			}
			near, far := net.Pipe()
			go leaves(far)
			return near, nil
		}
		m, err := mesh.New(t.Context(), mesh.Config{Discovery: f.source, DialContext: dial})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close() })
		told := make(chan error, 2)
		s, err := testpb.NewTestServiceClient(f.dialMesh(m, "far.example")).FullDuplexCall(t.Context(), grpc.WaitForReady(true), grpc.OnFinish(func(err error) { told <- err }))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(message(7)); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(10*time.Second, func() { f.source.Remove("far.example") })
		if _, err := s.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
		if n, err := len(told), <-told; n != 1 || status.Code(err) != codes.Unavailable {
			t.Errorf("told %d times, of %v", n, err)
		}
	})
}
