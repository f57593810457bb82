package meshgrpc_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
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
