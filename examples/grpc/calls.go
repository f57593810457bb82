package main

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// get asks once, and returns the version that has answered.
func get(ctx context.Context, conn grpc.ClientConnInterface) (version string, err error) {
	out := new(wrapperspb.StringValue)
	err = conn.Invoke(ctx, methodGet, wrapperspb.String("GOOG"), out)
	return out.Value, err
}

// follow reads a stream to its end, and returns the version that has sent it.
func follow(ctx context.Context, conn grpc.ClientConnInterface) (version string, err error) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	stream, err := conn.NewStream(ctx, &followDesc, methodFollow)
	if err != nil {
		return "", err
	}
	if err := stream.SendMsg(wrapperspb.String("GOOG")); err != nil {
		return "", err
	}
	if err := stream.CloseSend(); err != nil {
		return "", err
	}
	out := new(wrapperspb.StringValue)
	for err == nil {
		version = out.Value
		err = stream.RecvMsg(out)
	}
	if err == io.EOF {
		err = nil
	}
	return version, err
}
