package meshgrpc_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// The time that a rule gives a stream begins with the end of the request, and so does
// what is left of it for a retry.
func TestAStreamThatIsRefusedAfterALongTimeIsSentAgain(t *testing.T) {
	for timeout, want := range map[string]int64{"10s": 2, "1s": 1} {
		t.Run(timeout, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				i := f.start("ratings", "v1")
				i.double.onStream(func(s bidi) error {
					for {
						if _, err := s.Recv(); err == io.EOF {
							break
						}
					}
					s.SetTrailer(metadata.Pairs("grpc-retry-pushback-ms", "5000"))
					return status.Error(codes.Unavailable, "not now")
				})
				c := f.clientOf(rule("  - route: [{destination: {host: ratings}}]\n    timeout: "+timeout+"\n    retries: {attempts: 1, retryOn: unavailable}"), "ratings")
				s, err := c.FullDuplexCall(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				<-time.After(time.Minute)
				if err := s.Send(message(1)); err != nil {
					t.Fatal(err)
				}
				_ = s.CloseSend()
				if _, err := s.Recv(); status.Code(err) != codes.Unavailable || i.double.calls.Load() != want {
					t.Errorf("got %v after %d tries, want %d", err, i.double.calls.Load(), want)
				}
			})
		})
	}
}

// A late stream tells its headers after a while.
type lateStream struct {
	grpc.ClientStream
	after time.Duration
}

func (s lateStream) Header() (metadata.MD, error) {
	header, err := s.ClientStream.Header()
	<-time.After(s.after)
	return header, err
}

func TestHeadersThatComeWhenTheTimeOfTheirTryIsUpAreNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, tries := newFleet(t), 0
		f.start("ratings", "v1").double.onStream(func(s bidi) error { return s.SendHeader(metadata.MD{}) })
		late := grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			s, err := open(ctx, desc, conn, method, opts...)
			if tries++; tries == 1 {
				s = lateStream{s, 2 * time.Second}
			}
			return s, err
		})
		c := f.clientOf(rule("  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 1, perTryTimeout: 1s, retryOn: reset}"), "ratings", late)
		s, err := c.FullDuplexCall(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		_ = s.CloseSend()
		if _, err := s.Recv(); err != io.EOF || tries != 2 {
			t.Errorf("got %v after %d tries, want the end of the second", err, tries)
		}
	})
}

// What a server says of a try that has just been given up is no answer: it has heard
// of that, or gRPC has put its own words in the place of the server's.
func TestAnAnswerThatComesWhenTheTimeOfItsTryIsUpIsOneOrTheOther(t *testing.T) {
	for face, do := range both {
		t.Run(face, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				i := f.start("ratings", "v1")
				act := func(ctx context.Context) error {
					if i.double.calls.Load()%2 == 0 {
						return nil
					}
					<-time.After(time.Second)
					if ctx.Err() != nil {
						return ctx.Err()
					}
					return status.Error(codes.Unavailable, "not now")
				}
				i.double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error { return act(ctx) })
				i.double.onStream(func(s bidi) error { return act(s.Context()) })
				c := f.client("ratings", virtualService("  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 1, perTryTimeout: 1s, retryOn: \"reset,unavailable\", backoff: 1ms}"))
				for range 300 {
					if err := do(c); err != nil {
						t.Fatalf("got %v after %d tries", err, i.double.calls.Load())
					}
					synctest.Wait()
				}
			})
		})
	}
}

// Flags say how an answer ended before its end, as they do of HTTP.
func TestHowAStreamEndedIsToldOfIt(t *testing.T) {
	const timed = "  - route: [{destination: {host: ratings}}]\n    timeout: 5s"
	leaving := func() (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(5*time.Second, cancel)
		return ctx, cancel
	}
	timely := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), 5*time.Second)
	}
	for name, c := range map[string]struct {
		rule string
		ctx  func() (context.Context, context.CancelFunc)
		desc grpc.StreamDesc
		code codes.Code
		told string
	}{
		"the route's time is up":          {timed, timelessly, grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, codes.DeadlineExceeded, "UT"},
		"that of a stream of answers":     {timed, timelessly, grpc.StreamDesc{ServerStreams: true}, codes.DeadlineExceeded, "UT"},
		"the caller's time is up":         {onlyOnce, timely, grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, codes.DeadlineExceeded, "UT"},
		"the caller has left":             {onlyOnce, leaving, grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, codes.Canceled, "DC"},
		"the caller of a unary has left":  {onlyOnce, leaving, grpc.StreamDesc{}, codes.Canceled, "DC"},
		"the caller of a unary is late":   {onlyOnce, timely, grpc.StreamDesc{}, codes.DeadlineExceeded, "UT"},
		"the route's time of a unary one": {timed, timelessly, grpc.StreamDesc{}, codes.DeadlineExceeded, "UT"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, w := newFleet(t), newWatch()
				f.start("ratings", "v1").double.onStream(func(s bidi) error {
					_ = s.SendHeader(metadata.MD{})
					<-s.Context().Done()
					return s.Context().Err()
				})
				conn := f.dialMesh(f.mesh(w.config(virtualService(c.rule))), "ratings")
				ctx, cancel := c.ctx()
				defer cancel()
				var finished error
				s, err := conn.NewStream(ctx, &c.desc, "/grpc.testing.TestService/FullDuplexCall", grpc.OnFinish(func(err error) { finished = err }))
				if err != nil {
					t.Fatal(err)
				}
				if err := s.SendMsg(message(1)); err != nil {
					t.Fatal(err)
				}
				_ = s.CloseSend()
				err = s.RecvMsg(new(testpb.StreamingOutputCallResponse))
				synctest.Wait()
				if status.Code(err) != c.code || status.Code(finished) != c.code {
					t.Errorf("got %v, its end was told as %v", err, finished)
				}
				if got := w.requests(); len(got) != 1 || got[0].Flags != c.told || got[0].GRPCStatus != int(c.code) {
					t.Errorf("told of %+v, want %s and %d", got, c.told, c.code)
				}
			})
		})
	}
}

func timelessly() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}

// gRPC notices a caller who leaves on a goroutine of its own.
func TestTheHeadersOfAStreamAreTheCallersOnceItHasEnded(t *testing.T) {
	f := newFleet(t)
	f.start("ratings", "v1").double.onStream(func(s bidi) error {
		_ = s.SendHeader(metadata.Pairs("x-answer", "begun"))
		<-s.Context().Done()
		return s.Context().Err()
	})
	c := f.client("ratings", virtualService("  - route: [{destination: {host: ratings}}]\n    headers: {response: {set: {x-asked: \"%REQ(:path)%\"}}}"))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				lookAndLeave(t, c)
			}
		})
	}
	all.Wait()
}

// lookAndLeave looks at the headers of a stream while it ends, and then.
func lookAndLeave(t *testing.T, c testpb.TestServiceClient) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var header metadata.MD
	s, err := c.FullDuplexCall(ctx, grpc.Header(&header))
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = s.Header()
	var left sync.WaitGroup
	left.Go(cancel)
	direct, _ := s.Header()
	_, _ = s.Recv()
	for _, md := range []metadata.MD{header, direct} {
		if len(md["x-answer"]) != 1 || len(md["x-asked"]) != 1 {
			t.Errorf("got %d headers", len(md))
		}
	}
	left.Wait()
}

// An answer of the mesh's own has nothing of a try that came before it.
func TestARefusalHasNoTrailersOfAnEarlierTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1")
		i.double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error {
			time.AfterFunc(time.Second, func() {
				i.refuse()
				i.cut()
			})
			return errTrailing(ctx)
		})
		c := f.client("ratings", virtualService("  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 1, retryOn: unavailable}"))
		var trailer metadata.MD
		_, err := c.UnaryCall(context.Background(), &testpb.SimpleRequest{}, grpc.Trailer(&trailer))
		if status.Code(err) != codes.Unavailable || len(trailer) > 0 {
			t.Errorf("got %v with %d trailers, want the connection's refusal", err, len(trailer))
		}
	})
}

func errTrailing(ctx context.Context) error {
	if err := grpc.SetTrailer(ctx, metadata.Pairs("x-first", "yes", "grpc-retry-pushback-ms", "5000")); err != nil {
		return err
	}
	return status.Error(codes.Unavailable, "not now")
}
