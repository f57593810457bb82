package observability_test

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Ratings, as protoc-gen-go-grpc would write it:
//
//	service Ratings { rpc Get(google.protobuf.StringValue) returns (google.protobuf.StringValue); }
const methodGet = "/bookinfo.Ratings/Get"

var ratingsDesc = grpc.ServiceDesc{
	ServiceName: "bookinfo.Ratings",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Get", Handler: handleGet}},
}

func handleGet(srv any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
	in := new(wrapperspb.StringValue)
	if err := decode(in); err != nil {
		return nil, err
	}
	return intercept(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: methodGet}, get)
}

// get answers; in a flaky mood, not where it is asked first.
func get(ctx context.Context, in any) (any, error) {
	again := metadata.ValueFromIncomingContext(ctx, "x-envoy-attempt-count")
	if in.(*wrapperspb.StringValue).Value == flaky && len(again) == 0 {
		return nil, status.Error(codes.Unavailable, "not now")
	}
	return wrapperspb.String("*****"), nil
}

// rate asks ratings.
func rate(ctx context.Context, conn *grpc.ClientConn, mood string) (string, error) {
	out := new(wrapperspb.StringValue)
	err := conn.Invoke(ctx, methodGet, wrapperspb.String(mood), out)
	return out.Value, err
}
