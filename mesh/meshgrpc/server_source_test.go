package meshgrpc_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
)

// A council is a source of access: who may call which method.
type council struct{ words chan intentions }

func (c council) Watch(ctx context.Context) iter.Seq2[authz.Checker, error] {
	return func(yield func(authz.Checker, error) bool) {
		for {
			select {
			case w := <-c.words:
				if !yield(w, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// intentions are the methods that callers may call, by their names.
type intentions map[string]string

func (i intentions) Check(r *authz.Request) error {
	for caller, method := range i {
		if strings.HasSuffix(r.Peer.String(), "/"+caller) && r.Path.Escaped() == "/grpc.testing.TestService/"+method && r.Method == "POST" && r.LowerKeys {
			return nil
		}
	}
	return errors.New("no intention")
}

// What a source of access says holds for the next call, or stream, of a connection
// that is open.
func TestASourceOfAccessDecidesAboutCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := newRealm(t), council{make(chan intentions, 1)}
		c.words <- intentions{"productpage": "UnaryCall"}
		m := r.fleet.mesh(mesh.Config{Workload: mesh.Workload{Service: "ratings"}, Identity: r.ca.Workload("ratings"), Access: c})
		r.serve("ratings", discovery.Endpoint{Identity: m.Status().Identity.ID}, nil, meshgrpc.ServerOptions(m)...)
		client, stranger := r.as("productpage", "ratings"), r.as("details", "ratings")
		codesAre(t, client, codes.OK, codes.PermissionDenied)
		codesAre(t, stranger, codes.PermissionDenied, codes.PermissionDenied)
		c.words <- intentions{"productpage": "FullDuplexCall"}
		synctest.Wait()
		codesAre(t, client, codes.PermissionDenied, codes.OK)
	})
}

func codesAre(t *testing.T, c testpb.TestServiceClient, unary, stream codes.Code) {
	t.Helper()
	if got := status.Code(unaryAs(c)); got != unary {
		t.Errorf("a call: %v, want %v", got, unary)
	}
	if got := status.Code(bidiAs(c)); got != stream {
		t.Errorf("a stream: %v, want %v", got, stream)
	}
}
