package meshgrpc_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
)

// Who waits for a connection, for as long as it takes, waits no more once there can be
// none.
func TestNobodyWaitsForAConnectionThatIsClosed(t *testing.T) {
	for face, do := range patient {
		for name, gone := range map[string]func(*instance){"no endpoint": (*instance).withdraw, "none that can be reached": (*instance).refuse} {
			t.Run(face+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t)
					gone(f.start("ratings", "v1"))
					conn := f.dialMesh(f.mesh(mesh.Config{}), "ratings")
					time.AfterFunc(time.Minute, func() { _ = conn.Close() })
					ctx, cancel := context.WithTimeout(context.Background(), time.Hour) // or the test would not end
					defer cancel()
					began := time.Now()
					if err := do(ctx, testpb.NewTestServiceClient(conn)); status.Code(err) != codes.Canceled || time.Since(began) > 2*time.Minute {
						t.Errorf("got %v after %v", err, time.Since(began))
					}
				})
			})
		}
	}
}
