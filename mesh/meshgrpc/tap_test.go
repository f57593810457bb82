package meshgrpc_test

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
)

// TestCallsAreSeenUnderWayAndWhenTheyEnd, on both ends, and their secrets are not.
func TestCallsAreSeenUnderWayAndWhenTheyEnd(t *testing.T) {
	f := newFleet(t)
	host, caller := f.mesh(mesh.Config{}), f.mesh(mesh.Config{})
	var served, sent []mesh.Underway
	f.start("ratings", "v1", meshgrpc.ServerOptions(host)...).double.onUnary(func(context.Context, *testpb.SimpleRequest) error {
		served, sent = host.Underway(), caller.Underway()
		return status.Error(codes.NotFound, "there is none")
	})
	in, out := host.Tap(mesh.TapFilter{Failed: true}, 0), caller.Tap(mesh.TapFilter{Failed: true}, 0)
	defer in.Close()
	defer out.Close()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer s3cr3t", "end-user", "jason")
	_, err := testpb.NewTestServiceClient(f.dialMesh(caller, "ratings")).UnaryCall(ctx, &testpb.SimpleRequest{})
	if status.Code(err) != codes.NotFound {
		t.Fatal(err)
	}
	const method = "/grpc.testing.TestService/UnaryCall"
	if len(served) != 1 || served[0].Direction != "inbound" || served[0].Path != method || served[0].Source == "" {
		t.Errorf("%+v", served)
	}
	if len(sent) != 1 || sent[0].Direction != "outbound" || sent[0].Path != method || sent[0].Endpoint == "" {
		t.Errorf("%+v", sent)
	}
	for direction, tap := range map[string]*mesh.Tap{"inbound": in, "outbound": out} {
		e, err := tap.Next(t.Context())
		if err != nil || e.Direction != direction || e.Path != method || e.Status != 200 || e.GRPCStatus == nil || *e.GRPCStatus != int(codes.NotFound) {
			t.Errorf("%s: %v %+v", direction, err, e)
		}
		if e.Headers["authorization"][0] != "***" || e.Headers["end-user"][0] != "jason" {
			t.Errorf("%s: %v", direction, e.Headers)
		}
	}
	if left := append(host.Underway(), caller.Underway()...); len(left) > 0 {
		t.Errorf("%+v are still under way", left)
	}
}
