package meshgrpc_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// packed notes how big messages are on the wire.
type packed struct {
	stats.Handler
	sizes atomic.Int64
	names chan string
}

func (*packed) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*packed) HandleConn(context.Context, stats.ConnStats)                       {}
func (*packed) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (p *packed) HandleRPC(_ context.Context, s stats.RPCStats) {
	switch s := s.(type) {
	case *stats.InHeader:
		p.names <- s.Compression
	case *stats.InPayload:
		p.sizes.Add(int64(s.CompressedLength))
	}
}

func TestCompressionIsTheCallersToChooseForEachTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, seen := newFleet(t), &packed{names: make(chan string, 10)}
		i := f.start("ratings", "v1", grpc.StatsHandler(seen))
		i.double.onUnary(func(_ context.Context, in *testpb.SimpleRequest) error {
			if len(in.Payload.Body) != 1<<20 {
				t.Errorf("%d bytes arrived", len(in.Payload.Body))
			}
			return status.Error(codes.Unavailable, "not now")
		})
		c := f.client("ratings", retryOn("unavailable"))
		big := &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, 1<<20)}}
		if _, err := c.UnaryCall(context.Background(), big, grpc.UseCompressor(gzip.Name)); status.Code(err) != codes.Unavailable {
			t.Error(err)
		}
		for range 3 {
			if got := <-seen.names; got != gzip.Name {
				t.Errorf("a try is compressed by %q", got)
			}
		}
		if got := seen.sizes.Load(); got == 0 || got > 3<<13 {
			t.Errorf("3 tries of 1 MiB took %d bytes", got)
		}
	})
}
