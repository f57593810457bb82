package meshgrpc_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

var errPanic = errors.New("an interceptor's own")

// panics counts down; an interceptor panics until it is 0.
type panics struct{ left int }

func (p *panics) perhaps() {
	if p.left--; p.left >= 0 {
		panic(errPanic)
	}
}

func (p *panics) unary(ctx context.Context, method string, in, out any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	p.perhaps()
	return invoke(ctx, method, in, out, conn, opts...)
}

func (p *panics) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	p.perhaps()
	return open(ctx, desc, conn, method, opts...)
}

// panicked reports whether call ends by the interceptor's panic, and else fails the
// test if it does not come to a good end.
func panicked(t *testing.T, call func() error) (did bool) {
	t.Helper()
	defer func() {
		if got := recover(); got != nil {
			did = true
			if err, ok := got.(error); !ok || !errors.Is(err, errPanic) {
				t.Errorf("got %v, not the interceptor's panic", got)
			}
		}
	}()
	if err := call(); err != nil {
		t.Error(err)
	}
	return false
}

// A handler's panic is caught by its server: the process lives on, and so do the
// places of calls.
func TestAnInterceptorThatPanicsDoesSoOnItsCallersGoroutineAndHoldsNothing(t *testing.T) {
	documents := virtualService("  - route: [{destination: {host: ratings}}]\n    timeout: 1h") +
		destinationRule("  trafficPolicy: {connectionPool: {http: {http2MaxRequests: 1}}}")
	for name, call := range map[string]func(testpb.TestServiceClient) error{
		"unary": func(c testpb.TestServiceClient) error {
			_, err := c.UnaryCall(context.Background(), new(testpb.SimpleRequest))
			return err
		},
		"stream": func(c testpb.TestServiceClient) error {
			s, err := c.FullDuplexCall(context.Background())
			if err != nil {
				return err
			}
			if err := s.CloseSend(); err != nil {
				return err
			}
			if _, err = s.Recv(); err != io.EOF {
				return err
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, p, told := newFleet(t), &panics{left: 2}, newAudience()
			f.start("ratings", "v1")
			m := f.mesh(mesh.Config{Rules: rules.Static(documents), Telemetry: told.config()})
			c := testpb.NewTestServiceClient(f.dialMesh(m, "ratings", grpc.WithChainUnaryInterceptor(p.unary), grpc.WithChainStreamInterceptor(p.stream)))
			for i := range 4 {
				if did := panicked(t, func() error { return call(c) }); did != (i < 2) {
					t.Errorf("call %d: panicked %v", i, did)
				}
			}
			if cl := m.Clusters()[0]; cl.Requests != 0 || cl.Endpoints[0].Active != 0 || len(m.Underway()) != 0 {
				t.Errorf("held: %+v, under way %+v", cl, m.Underway())
			}
			same(t, name, told.counts(t, "istio_requests_total", "grpc_response_status"), map[string]int64{"0": 2, "2": 2})
			if n := len(told.spans.Ended()); n != 8 {
				t.Errorf("%d spans of four calls and their tries have ended", n)
			}
		})
	}
}

// A panic in a later try, when the caller has its stream already, comes to whoever
// waits for the answer.
func TestAPanicInALaterTryOfAStreamComesToWhoWaitsForTheAnswer(t *testing.T) {
	f, n := newFleet(t), 0
	f.start("ratings", "v1").double.onStream(func(grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
		return status.Error(codes.Unavailable, "not now")
	})
	second := func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		if n++; n == 2 {
			panic(errPanic)
		}
		return open(ctx, desc, conn, method, opts...)
	}
	c := f.client("ratings", virtualService("  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 2, retryOn: unavailable}"), grpc.WithChainStreamInterceptor(second))
	s, err := c.FullDuplexCall(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for name, wait := range map[string]func() error{
		"Recv":   func() error { _, err := s.Recv(); return err },
		"Header": func() error { _, err := s.Header(); return err },
	} {
		if !panicked(t, wait) {
			t.Errorf("%s returned", name)
		}
	}
}
