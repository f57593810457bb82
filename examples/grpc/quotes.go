package main

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/inmesh-go/inmesh/mesh"
)

// The service, as protoc-gen-go-grpc would write it:
//
//	service Quotes {
//	  rpc Get(google.protobuf.StringValue) returns (google.protobuf.StringValue);
//	  rpc Follow(google.protobuf.StringValue) returns (stream google.protobuf.StringValue);
//	}
const (
	methodGet    = "/inmesh.examples.Quotes/Get"
	methodFollow = "/inmesh.examples.Quotes/Follow"
)

type quotesServer interface {
	get(ctx context.Context, symbol string) (string, error)
	follow(ctx context.Context, symbol string, tell func(string) error) error
}

var followDesc = grpc.StreamDesc{StreamName: "Follow", Handler: handleFollow, ServerStreams: true}

var quotesDesc = grpc.ServiceDesc{
	ServiceName: "inmesh.examples.Quotes",
	HandlerType: (*quotesServer)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Get", Handler: handleGet}},
	Streams:     []grpc.StreamDesc{followDesc},
}

func handleGet(srv any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
	in := new(wrapperspb.StringValue)
	if err := decode(in); err != nil {
		return nil, err
	}
	handle := func(ctx context.Context, in any) (any, error) {
		out, err := srv.(quotesServer).get(ctx, in.(*wrapperspb.StringValue).Value)
		return wrapperspb.String(out), err
	}
	if intercept == nil {
		return handle(ctx, in)
	}
	return intercept(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: methodGet}, handle)
}

func handleFollow(srv any, stream grpc.ServerStream) error {
	in := new(wrapperspb.StringValue)
	if err := stream.RecvMsg(in); err != nil {
		return err
	}
	return srv.(quotesServer).follow(stream.Context(), in.Value, func(s string) error { return stream.SendMsg(wrapperspb.String(s)) })
}

// quotes is one server. It answers with its version, so that callers can tell.
type quotes struct {
	version string
	moody   bool // refuses every fourth call
	calls   atomic.Int64
	mutual  atomic.Int64 // calls whose caller is known
}

func (q *quotes) enter(ctx context.Context) error {
	if !mesh.Peer(ctx).ID.IsZero() {
		q.mutual.Add(1)
	}
	if n := q.calls.Add(1); q.moody && n%4 == 0 {
		return status.Error(codes.Unavailable, "not now")
	}
	return nil
}

func (q *quotes) get(ctx context.Context, _ string) (string, error) { return q.version, q.enter(ctx) }

// follow tells three prices.
func (q *quotes) follow(ctx context.Context, _ string, tell func(string) error) error {
	if err := q.enter(ctx); err != nil {
		return err
	}
	for range 3 {
		if err := tell(q.version); err != nil {
			return err
		}
	}
	return nil
}
