package meshgrpc_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type valueKey struct{}

// As of gRPC's own streams: who is told when the stream is over need not be the first
// to speak, nor wait for the server to.
func TestTheContextOfAStreamIsThereBeforeItsAnswer(t *testing.T) {
	for name, end := range map[string]struct {
		how  error // of the server's
		want error // of RecvMsg
	}{"answered": {nil, io.EOF}, "refused": {status.Error(codes.NotFound, "no such book"), status.Error(codes.NotFound, "no such book")}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				f.start("ratings", "v1").double.onStream(func(s bidi) error {
					_, _ = s.Recv()
					return end.how
				})
				c := f.client("ratings", "")
				ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), valueKey{}, "caller's"), time.Hour)
				defer cancel()
				s, err := c.FullDuplexCall(ctx)
				if err != nil {
					t.Fatal(err)
				}
				began, own := time.Now(), s.Context()
				if waited := time.Since(began); waited != 0 || own.Err() != nil || own.Value(valueKey{}) != "caller's" {
					t.Fatalf("after %v: %v", waited, own)
				}
				_ = s.Send(message(1))
				_ = s.CloseSend()
				for err == nil {
					_, err = s.Recv()
				}
				if status.Code(err) != status.Code(end.want) {
					t.Errorf("got %v, want %v", err, end.want)
				}
				<-own.Done()
				if late := s.Context(); late.Err() == nil || ctx.Err() != nil {
					t.Errorf("the stream's: %v, the caller's: %v", late.Err(), ctx.Err())
				}
			})
		})
	}
}

func TestTheContextOfAStreamThatReachesNobodyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.start("ratings", "v1").double.onStream(func(s bidi) error {
			_, _ = s.Recv()
			return status.Error(codes.Unavailable, "not now")
		})
		c := f.client("ratings", retryUnavailable)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		s, err := c.FullDuplexCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		own := s.Context()
		_ = s.Send(message(1))
		if _, err := s.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
		<-own.Done()
		<-s.Context().Done()
	})
}
