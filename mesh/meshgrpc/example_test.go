package meshgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

type ratings struct {
	testpb.UnimplementedTestServiceServer
}

func (ratings) UnaryCall(ctx context.Context, _ *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	return &testpb.SimpleResponse{Username: "five stars"}, nil
}

// A server and a client with a mesh each, and a rule.
func Example() {
	server, _ := mesh.New(context.Background(), mesh.Config{Workload: mesh.Workload{Service: "ratings"}})
	defer server.Close()
	lis, _ := net.Listen("tcp", "127.0.0.1:0")
	s := grpc.NewServer(meshgrpc.ServerOptions(server)...)
	testpb.RegisterTestServiceServer(s, ratings{})
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(lis) })
	defer served.Wait()
	defer s.Stop()

	where, _ := discovery.NewStatic(map[string][]discovery.Endpoint{"ratings": discovery.Addresses(lis.Addr().String())})
	client, _ := mesh.New(context.Background(), mesh.Config{Discovery: where, Rules: rules.Static(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ratings}
spec:
  hosts: [ratings]
  http:
  - match: [{uri: {exact: /grpc.testing.TestService/UnaryCall}}]
    route: [{destination: {host: ratings}}]
`)})
	defer client.Close()
	conn, _ := meshgrpc.NewClient(client, "mesh:///ratings")
	defer conn.Close()

	c := testpb.NewTestServiceClient(conn)
	reply, err := c.UnaryCall(context.Background(), &testpb.SimpleRequest{})
	fmt.Println(reply.GetUsername(), err)
	_, err = c.EmptyCall(context.Background(), &testpb.Empty{})
	fmt.Println(errors.Is(err, mesh.ErrNoRoute), status.Code(err) == codes.Unimplemented)
	// Output:
	// five stars <nil>
	// true true
}
