package meshgrpc

import (
	"context"

	"google.golang.org/grpc/stats"
)

// A recorder tells tries what happens to their streams. It is how to tell a
// status that the server has sent from one that gRPC made up for a broken
// connection, and a status in headers from one in trailers.
type recorder struct{}

// TagRPC implements stats.Handler.
func (recorder) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (recorder) HandleRPC(ctx context.Context, s stats.RPCStats) {
	switch s := s.(type) {
	case *stats.Begin:
		if t := tryOf(ctx); t != nil {
			t.begin()
		}
	case *stats.OutHeader:
		tell(ctx, sawRequest)
	case *stats.OutPayload:
		tell(ctx, sawMessage)
	case *stats.InHeader:
		tell(ctx, sawHeader)
	case *stats.InTrailer:
		if t := tryOf(ctx); t != nil {
			t.sawStatus(s.Trailer)
		}
	}
}

func tell(ctx context.Context, what sight) {
	if t := tryOf(ctx); t != nil {
		t.saw(what)
	}
}

// TagConn implements stats.Handler.
func (recorder) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (recorder) HandleConn(context.Context, stats.ConnStats) {}
