package meshgrpc_test

import (
	"context"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
)

func mustAddrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// A double is a service that does as it is told, and says who it is.
type double struct {
	testpb.UnimplementedTestServiceServer
	address, version string
	calls            atomic.Int64

	mu     sync.Mutex
	unary  func(ctx context.Context, in *testpb.SimpleRequest) error
	stream func(s grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error
	last   metadata.MD // of the last call
}

func newDouble(address, version string) *double { return &double{address: address, version: version} }

func (d *double) onUnary(do func(ctx context.Context, in *testpb.SimpleRequest) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unary = do
}

func (d *double) onStream(do func(s grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stream = do
}

func (d *double) got() metadata.MD {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

func (d *double) called(ctx context.Context) {
	d.calls.Add(1)
	md, _ := metadata.FromIncomingContext(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = md
}

// UnaryCall answers with the version in username and the address in hostname.
func (d *double) UnaryCall(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	d.called(ctx)
	d.mu.Lock()
	do := d.unary
	d.mu.Unlock()
	if do != nil {
		if err := do(ctx, in); err != nil {
			return nil, err
		}
	}
	return &testpb.SimpleResponse{Username: d.version, Hostname: d.address}, nil
}

// FullDuplexCall echoes payloads.
func (d *double) FullDuplexCall(s grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
	d.called(s.Context())
	d.mu.Lock()
	do := d.stream
	d.mu.Unlock()
	if do != nil {
		if err := do(s); err != nil {
			return err
		}
	}
	for {
		in, err := s.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.Send(&testpb.StreamingOutputCallResponse{Payload: in.Payload}); err != nil {
			return err
		}
	}
}

// StreamingInputCall answers with how much it was sent.
func (d *double) StreamingInputCall(s grpc.ClientStreamingServer[testpb.StreamingInputCallRequest, testpb.StreamingInputCallResponse]) error {
	d.called(s.Context())
	var size int32
	for {
		in, err := s.Recv()
		if err == io.EOF {
			return s.SendAndClose(&testpb.StreamingInputCallResponse{AggregatedPayloadSize: size})
		}
		if err != nil {
			return err
		}
		size += int32(len(in.Payload.GetBody()))
	}
}

// StreamingOutputCall answers with a message of each size.
func (d *double) StreamingOutputCall(in *testpb.StreamingOutputCallRequest, s grpc.ServerStreamingServer[testpb.StreamingOutputCallResponse]) error {
	d.called(s.Context())
	for _, p := range in.ResponseParameters {
		if err := s.Send(&testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: make([]byte, p.Size)}}); err != nil {
			return err
		}
	}
	return nil
}
