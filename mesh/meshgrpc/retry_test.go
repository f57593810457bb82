package meshgrpc_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
)

func retryOn(tokens string) string {
	return virtualService("\n  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 2, backoff: 1ms, retryOn: \"" + tokens + "\"}")
}

// both are the two kinds of calls.
var both = map[string]func(testpb.TestServiceClient) error{"unary": unaryAs, "stream": bidiAs}

// Tokens of HTTP are about the status of the answer, which is 200 whatever gRPC says
// in it, and about answers that never come.
func TestWhatIsRetriedIsWhatTheRuleSays(t *testing.T) {
	refusals := []codes.Code{codes.Canceled, codes.DeadlineExceeded, codes.Internal, codes.ResourceExhausted, codes.Unavailable, codes.Unknown, codes.Aborted, codes.NotFound}
	for tokens, retried := range map[string][]codes.Code{
		"cancelled":          {codes.Canceled},
		"deadline-exceeded":  {codes.DeadlineExceeded},
		"internal":           {codes.Internal},
		"resource-exhausted": {codes.ResourceExhausted},
		"unavailable":        {codes.Unavailable},
		"5xx,gateway-error,reset,connect-failure,retriable-4xx,503": nil,
		"unavailable,internal": {codes.Unavailable, codes.Internal},
	} {
		for face, do := range both {
			t.Run(tokens+" of a "+face, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t)
					i, code := f.start("ratings", "v1"), codes.OK
					i.double.onUnary(func(context.Context, *testpb.SimpleRequest) error { return status.Error(code, "no") })
					i.double.onStream(func(bidi) error { return status.Error(code, "no") })
					c := f.client("ratings", retryOn(tokens))
					for _, code = range refusals {
						before, want := i.double.calls.Load(), int64(1)
						for _, r := range retried {
							if r == code {
								want = 3
							}
						}
						if err := do(c); status.Code(err) != code {
							t.Errorf("%v: got %v", code, err)
						}
						if got := i.double.calls.Load() - before; got != want {
							t.Errorf("%v: %d tries, want %d", code, got, want)
						}
					}
				})
			})
		}
	}
}

func TestWhatComesInTrailersIsNotRetried(t *testing.T) {
	for face, do := range both {
		t.Run(face, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				i := f.start("ratings", "v1")
				late := func(ctx context.Context) error {
					if err := grpc.SendHeader(ctx, metadata.Pairs("x-answer", "begun")); err != nil {
						return err
					}
					return status.Error(codes.Unavailable, "no")
				}
				i.double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error { return late(ctx) })
				i.double.onStream(func(s bidi) error { return late(s.Context()) })
				if err := do(f.client("ratings", retryOn("unavailable"))); status.Code(err) != codes.Unavailable || i.double.calls.Load() != 1 {
					t.Errorf("got %v after %d tries", err, i.double.calls.Load())
				}
			})
		})
	}
}

// A refusing server speaks just enough HTTP/2 to refuse the first stream, and to
// answer each that follows with NOT_FOUND.
type refusing struct {
	net.Conn
	streams *atomic.Int64
}

const (
	frameHeaders, frameReset, frameSettings = 1, 3, 4
	flagAck, endOfAll                       = 1, 1 | 4 // END_STREAM, END_HEADERS
	refusedStream                           = 7
)

func (c refusing) frame(kind, flags byte, stream uint32, payload string) {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	head = binary.BigEndian.AppendUint32(append(head, flags), stream)
	_, _ = c.Write(append(head, payload...))
}

func (c refusing) serve() {
	defer func() { _ = c.Close() }()
	if _, err := io.CopyN(io.Discard, c, 24); err != nil { // the preface
		return
	}
	c.frame(frameSettings, 0, 0, "")
	for {
		var head [9]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(head[:])>>8)); err != nil {
			return
		}
		c.heard(head[3], head[4], binary.BigEndian.Uint32(head[5:]))
	}
}

// notFound is ":status: 200, content-type: application/grpc, grpc-status: 5" (RFC 7541).
const notFound = "\x88\x5f\x10application/grpc\x40\x0bgrpc-status\x015"

func (c refusing) heard(kind, flags byte, stream uint32) {
	switch {
	case kind == frameSettings && flags&flagAck == 0:
		c.frame(frameSettings, flagAck, 0, "")
	case kind == frameHeaders && c.streams.Add(1) == 1:
		c.frame(frameReset, 0, stream, "\x00\x00\x00"+string(rune(refusedStream)))
	case kind == frameHeaders:
		c.frame(frameHeaders, endOfAll, stream, notFound)
	}
}

// What gRPC knows not to have been worked on it sends again by itself: "Transparent
// retries [do] not count toward the limit of configured RPC attempts" (gRFC A6).
func TestARefusedStreamIsSentAgainAndDoesNotCount(t *testing.T) {
	for face, do := range both {
		t.Run(face, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				i := f.start("ratings", "v1")
				lis := bufconn.Listen(1 << 16)
				f.mu.Lock()
				f.listeners[i.endpoint.Address] = lis
				f.mu.Unlock()
				var streams atomic.Int64
				go func() {
					for {
						c, err := lis.Accept()
						if err != nil {
							return
						}
						go refusing{c, &streams}.serve()
					}
				}()
				defer lis.Close()
				seen := newWatch()
				c := f.clientOf(seen.config(virtualService("  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 0}")), "ratings")
				if err := do(c); status.Code(err) != codes.NotFound {
					t.Errorf("got %v", err)
				}
				synctest.Wait()
				if got := seen.requests(); streams.Load() != 2 || len(got) != 1 || got[0].Attempts != 1 {
					t.Errorf("%d streams, told of %+v", streams.Load(), got)
				}
			})
		})
	}
}
