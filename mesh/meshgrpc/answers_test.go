package meshgrpc_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/inmesh-go/inmesh/mesh"
)

// overHTTP serves a host by HTTP/2, and not by gRPC.
func (f *fleet) overHTTP(i *instance, h http.Handler) {
	lis := bufconn.Listen(1 << 20)
	f.mu.Lock()
	f.listeners[i.endpoint.Address] = lis
	f.mu.Unlock()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: h, Protocols: protocols}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(lis)
	}()
	f.tb.Cleanup(func() {
		_ = server.Close()
		<-served
	})
}

func TestAnswersThatAreNotGRPCsCountByTheirStatus(t *testing.T) {
	for code, ejected := range map[int]bool{503: true, 500: true, 401: false, 404: false} {
		t.Run(http.StatusText(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				i := f.start("ratings", "v1")
				calls := 0
				f.overHTTP(i, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					calls++
					w.WriteHeader(code)
				}))
				c := f.client("ratings", ejectAtThree)
				for range 10 {
					_ = unaryAs(c)
				}
				if want := map[bool]int{true: 4, false: 10}[ejected]; calls != want { // the first is in doubt
					t.Errorf("%d calls got through, want %d", calls, want)
				}
			})
		})
	}
}

func TestAConnectionThatBreaksAmidAnAnswerBlamesItsHost(t *testing.T) {
	for face, do := range map[string]func(testpb.TestServiceClient) error{
		"unary": unaryAs,
		"stream": func(c testpb.TestServiceClient) error {
			s, err := c.FullDuplexCall(context.Background())
			if err != nil {
				return err
			}
			_, err = s.Recv()
			return err
		},
	} {
		t.Run(face, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				i := f.start("ratings", "v1")
				breaking := func(ctx context.Context) error {
					err := grpc.SendHeader(ctx, nil)
					<-time.After(time.Millisecond) // it arrives
					i.cut()
					return err
				}
				i.double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error { return breaking(ctx) })
				i.double.onStream(func(s bidi) error { return breaking(s.Context()) })
				// each answer counts when its headers come, and so begins to count anew
				c := f.client("ratings", strings.ReplaceAll(ejectAtThree, "Errors: 3", "Errors: 1"))
				if err := do(c); status.Code(err) != codes.Unavailable || errors.As(err, new(*mesh.Error)) {
					t.Errorf("got %v", err)
				}
				synctest.Wait()
				if err := do(c); i.double.calls.Load() != 1 || !errors.Is(err, mesh.ErrNoHealthy) {
					t.Errorf("after %d calls: %v", i.double.calls.Load(), err)
				}
			})
		})
	}
}
