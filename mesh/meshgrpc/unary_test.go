package meshgrpc_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
)

func call(t *testing.T, c testpb.TestServiceClient) string {
	t.Helper()
	out, err := c.UnaryCall(context.Background(), &testpb.SimpleRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return out.Username
}

func TestACallGoesWhereTheRuleSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.start("ratings", "v1")
		f.start("ratings", "v2")
		c := f.client("ratings", `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ratings}
spec:
  hosts: [ratings]
  http:
  - match: [{uri: {exact: /grpc.testing.TestService/UnaryCall}}]
    route: [{destination: {host: ratings, subset: v2}}]
  - route: [{destination: {host: ratings, subset: v1}}]
`)
		for range 20 {
			if got := call(t, c); got != "v2" {
				t.Fatalf("got %q, the rule says v2", got)
			}
		}
	})
}

func TestAHostThatRefusesIsTriedOnceACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.start("ratings", "good")
		f.start("ratings", "bad").refuse()
		c := f.client("ratings", "")
		for range 50 {
			if got := call(t, c); got != "good" {
				t.Fatalf("got %q", got)
			}
		}
	})
}

func TestARefusalIsAMeshErrorAndAStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.start("ratings", "v1").refuse()
		c := f.client("ratings", "")
		_, err := c.UnaryCall(context.Background(), &testpb.SimpleRequest{})
		var e *mesh.Error
		if !errors.As(err, &e) || !errors.Is(err, mesh.ErrConnect) || e.Attempts != 3 {
			t.Errorf("got %#v", err)
		}
		if status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
	})
}

func TestTheCallersDeadlineIsDeadlineExceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.start("ratings", "v1").double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error {
			<-ctx.Done()
			return ctx.Err()
		})
		c := f.client("ratings", "")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := c.UnaryCall(ctx, &testpb.SimpleRequest{})
		if status.Code(err) != codes.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
