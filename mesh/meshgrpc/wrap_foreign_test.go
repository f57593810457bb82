package meshgrpc_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A foreign connection is none of gRPC's, as those within a process are: it knows no
// options, and its streams say nothing until their context ends.
type foreign struct{}

// Invoke implements grpc.ClientConnInterface.
func (foreign) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return nil }

// NewStream implements grpc.ClientConnInterface.
func (foreign) NewStream(ctx context.Context, _ *grpc.StreamDesc, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return foreignStream{ctx}, nil
}

// A brief connection knows no options either. Its calls end with a status at once,
// which its streams say once.
type brief struct{ status error }

// Invoke implements grpc.ClientConnInterface.
func (b brief) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return b.status }

// NewStream implements grpc.ClientConnInterface.
func (b brief) NewStream(ctx context.Context, _ *grpc.StreamDesc, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return &briefStream{foreignStream{ctx}, b.status}, nil
}

type briefStream struct {
	foreignStream
	status error
}

func (*briefStream) Header() (metadata.MD, error) { return nil, nil }

func (s *briefStream) RecvMsg(any) error {
	err := s.status
	s.status = io.EOF
	return err
}

// A status is the server's, whoever has carried it, and not its caller's leaving.
func TestAStatusOfAForeignConnectionIsAnAnswer(t *testing.T) {
	for face, do := range both {
		for _, code := range []codes.Code{codes.NotFound, codes.Internal, codes.DeadlineExceeded, codes.Canceled} {
			w := newWatch()
			m, err := mesh.New(t.Context(), w.config(virtualService(onlyOnce)+ejectAtThree))
			if err != nil {
				t.Fatal(err)
			}
			c, err := meshgrpc.Wrap(m, "ratings", brief{status.Error(code, "no")})
			if err != nil {
				t.Fatal(err)
			}
			for range 4 {
				if err := do(testpb.NewTestServiceClient(c)); status.Code(err) != code {
					t.Errorf("%s: got %v, want %v", face, err, code)
				}
			}
			for _, told := range w.requests() {
				if told.Flags != "-" || told.Status != 200 || told.GRPCStatus != int(code) || told.Err != nil {
					t.Errorf("%s: told of %+v, want %v", face, told, code)
				}
			}
			if n := m.Clusters()[0].Requests; n != 0 || len(w.requests()) != 4 {
				t.Errorf("%s: %d requests are under way, and %d told of", face, n, len(w.requests()))
			}
			_ = m.Close()
		}
	}
}

type foreignStream struct{ ctx context.Context }

func (foreignStream) Header() (metadata.MD, error) { return metadata.MD{}, nil }
func (foreignStream) Trailer() metadata.MD         { return nil }
func (foreignStream) CloseSend() error             { return nil }
func (s foreignStream) Context() context.Context   { return s.ctx }
func (foreignStream) SendMsg(any) error            { return nil }
func (s foreignStream) RecvMsg(any) error          { <-s.ctx.Done(); return s.ctx.Err() }

// Who is not interested in the rest of a stream cancels it, and hears no more of it.
// Its place is free then, whoever the connection is.
func TestAStreamOfAForeignConnectionGivesItsPlaceBackWhenItIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := mesh.New(t.Context(), mesh.Config{Rules: rules.Static(virtualService(onlyOnce))})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close() }()
		w, err := meshgrpc.Wrap(m, "ratings", foreign{})
		if err != nil {
			t.Fatal(err)
		}
		for name, leave := range map[string]func(context.Context) (context.Context, context.CancelFunc){
			"cancelled": func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			},
			"out of time": func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second)
			},
		} {
			ctx, cancel := leave(t.Context())
			defer cancel()
			s, err := testpb.NewTestServiceClient(w).FullDuplexCall(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Send(message(1)); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if n := m.Clusters()[0].Requests; n != 1 {
				t.Errorf("%s: %d requests are under way, want the stream", name, n)
			}
			<-time.After(time.Minute)
			if n := m.Clusters()[0].Requests; n != 0 {
				t.Errorf("%s: %d requests are under way", name, n)
			}
		}
	})
}
