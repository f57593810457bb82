package meshgrpc_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type bidi = grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]

func message(size int) *testpb.StreamingOutputCallRequest {
	return &testpb.StreamingOutputCallRequest{Payload: &testpb.Payload{Body: make([]byte, size)}}
}

func TestAStreamEchoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.start("ratings", "v1")
		c := f.client("ratings", "")
		s, err := c.FullDuplexCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for size := range 10 {
			if err := s.Send(message(size)); err != nil {
				t.Fatal(err)
			}
			got, err := s.Recv()
			if err != nil || len(got.Payload.GetBody()) != size {
				t.Fatalf("got %v, %v", got, err)
			}
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != io.EOF {
			t.Errorf("got %v", err)
		}
	})
}

const retryUnavailable = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ratings}
spec:
  hosts: [ratings]
  http:
  - route: [{destination: {host: ratings}}]
    retries: {attempts: 3, retryOn: "unavailable,reset"}
`

func TestAStreamIsSentAgainUntilItIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		bad := f.start("ratings", "bad")
		bad.double.onStream(func(s bidi) error {
			for range 3 { // then refuse, without a word before
				if _, err := s.Recv(); err != nil {
					return err
				}
			}
			return status.Error(codes.Unavailable, "not now")
		})
		c := f.client("ratings", retryUnavailable)
		s, err := c.FullDuplexCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f.start("ratings", "good")
		synctest.Wait()
		for range 5 {
			if err := s.Send(message(7)); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			got, err := s.Recv()
			if err != nil || len(got.Payload.GetBody()) != 7 {
				t.Fatalf("got %v, %v", got, err)
			}
		}
		if n := bad.double.calls.Load(); n != 1 {
			t.Errorf("%d calls to the one that refuses", n)
		}
		_ = s.CloseSend()
		if _, err := s.Recv(); err != io.EOF {
			t.Errorf("got %v", err)
		}
	})
}

func TestAStreamIsNotSentAgainBeyondWhatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		bad := f.start("ratings", "bad")
		bad.double.onStream(func(s bidi) error {
			for range 3 {
				if _, err := s.Recv(); err != nil {
					return err
				}
			}
			return status.Error(codes.Unavailable, "not now")
		})
		c := f.client("ratings", retryUnavailable)
		s, err := c.FullDuplexCall(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := s.Send(message(40 << 10)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
		if n := bad.double.calls.Load(); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

// TestWhatIsSentArrivesOnceInOrderWhateverFails: each try but the last fails
// after some of the messages, whenever that happens to the one who sends.
func TestWhatIsSentArrivesOnceInOrderWhateverFails(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			f := newFleet(t)
			i := f.start("ratings", "v1")
			failures, fails, cuts := random.Int64N(4), make([]int, 4), make([]bool, 4)
			for n := range fails {
				fails[n], cuts[n] = random.IntN(12), random.IntN(2) == 0
			}
			i.double.onStream(func(s bidi) error {
				n := i.double.calls.Load() - 1
				if n >= failures {
					return nil
				}
				for range fails[n] {
					if _, err := s.Recv(); err != nil {
						break
					}
				}
				if cuts[n] {
					i.cut()
				}
				return status.Error(codes.Unavailable, "not now")
			})
			c := f.client("ratings", strings.ReplaceAll(retryUnavailable, "attempts: 3", "attempts: 9"))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			s, err := c.FullDuplexCall(ctx)
			if err != nil {
				t.Fatal(err)
			}
			pause := time.Duration(random.IntN(30)) * time.Millisecond
			go func() {
				for n := range 10 {
					if err := s.Send(message(n)); err != nil {
						t.Errorf("seed %d: %v", seed, err)
					}
					<-time.After(pause)
				}
				_ = s.CloseSend()
			}()
			for n := range 10 {
				if got, err := s.Recv(); err != nil || len(got.Payload.GetBody()) != n {
					t.Fatalf("seed %d: message %d is %v, %v", seed, n, got, err)
				}
			}
			if _, err := s.Recv(); err != io.EOF {
				t.Errorf("seed %d: %v", seed, err)
			}
		})
	}
}

func TestHeadersOfAStreamAreChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1")
		c := f.clientOf(rule(`
  - route: [{destination: {host: ratings}}]
    headers: {request: {set: {x-set: "by rule"}}, response: {set: {x-answer: "by rule"}}}`), "ratings")
		var header metadata.MD
		s, err := c.StreamingInputCall(context.Background(), grpc.Header(&header))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.CloseAndRecv(); err != nil {
			t.Fatal(err)
		}
		direct, err := s.Header()
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []metadata.MD{header, direct} {
			if got := got["x-answer"]; len(got) != 1 || got[0] != "by rule" {
				t.Errorf("got %v", got)
			}
		}
		if got := i.double.got()["x-set"]; len(got) != 1 || got[0] != "by rule" {
			t.Errorf("got %v", got)
		}
	})
}

func TestATryOfAStreamHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1")
		i.double.onStream(func(s bidi) error {
			if i.double.calls.Load() < 3 {
				<-s.Context().Done()
			}
			return nil
		})
		c := f.clientOf(rule(`
  - route: [{destination: {host: ratings}}]
    retries: {attempts: 4, perTryTimeout: 1s, retryOn: reset, backoff: 1ms}`), "ratings")
		s, err := c.FullDuplexCall(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute) // it counts from the end of the request
		began := time.Now()
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != io.EOF || i.double.calls.Load() != 3 {
			t.Errorf("got %v after %d tries", err, i.double.calls.Load())
		}
		if took := time.Since(began); took < 2*time.Second || took > 2100*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestWhatAStreamCannotSendBlamesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1")
		c := f.client("ratings", retryUnavailable+ejectAtThree)
		for range 5 {
			s, err := c.FullDuplexCall(context.Background(), grpc.MaxCallSendMsgSize(10))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Send(message(100)); status.Code(err) != codes.ResourceExhausted {
				t.Errorf("got %v", err)
			}
			if _, err := s.Recv(); status.Code(err) != codes.ResourceExhausted {
				t.Errorf("got %v", err)
			}
		}
		if got := call(t, c); got != "v1" || i.double.calls.Load() > 6 {
			t.Errorf("got %q after %d calls", got, i.double.calls.Load())
		}
	})
}

func TestStreamsAreNotMirroredButCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.start("ratings", "v1")
		m := f.mesh(rule("  - route: [{destination: {host: ratings}}]\n    mirror: {host: shadow}"))
		if err := bidiAs(testpb.NewTestServiceClient(f.dialMesh(m, "ratings"))); err != nil {
			t.Fatal(err)
		}
		if n := m.Status().MirrorDrops; n != 1 {
			t.Errorf("%d are counted", n)
		}
	})
}

func TestACallerWhoLeavesEndsTheJourney(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.start("ratings", "v1").double.onStream(func(s bidi) error {
			<-s.Context().Done()
			return nil
		})
		c := f.client("ratings", "")
		ctx, cancel := context.WithCancel(context.Background())
		s, err := c.FullDuplexCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, cancel)
		if _, err := s.Recv(); status.Code(err) != codes.Canceled || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if err := s.Send(message(1)); err != io.EOF {
			t.Errorf("got %v", err)
		}
		if header, err := s.Header(); header != nil || err != nil {
			t.Errorf("got %v, %v", header, err)
		}
	})
}
