package meshgrpc_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

const ejectAtThree = `
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ratings}
spec:
  host: ratings
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 3, baseEjectionTime: 30s}}
`

// after calls it repeatedly and returns how many calls reached the one instance.
func reached(t *testing.T, documents string, do func(context.Context) error, opts ...grpc.CallOption) (calls int64, last error) {
	t.Helper()
	f := newFleet(t)
	i := f.start("ratings", "v1")
	i.double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error { return do(ctx) })
	c := f.client("ratings", documents)
	for range 10 {
		_, last = c.UnaryCall(context.Background(), &testpb.SimpleRequest{}, opts...)
	}
	return i.double.calls.Load(), last
}

func TestAStatusCountsForEjectionAsItsHTTPStatusDoes(t *testing.T) {
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		bad := map[codes.Code]bool{
			codes.Unknown: true, codes.DeadlineExceeded: true, codes.Unimplemented: true, codes.Internal: true, codes.Unavailable: true, codes.DataLoss: true,
		}[code]
		t.Run(code.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls, err := reached(t, ejectAtThree, func(context.Context) error { return status.Error(code, "told to") })
				if want := map[bool]int64{true: 3, false: 10}[bad]; calls != want {
					t.Errorf("%d calls got through, want %d (%v)", calls, want, err)
				}
			})
		})
	}
}

func TestAStatusInTrailersCountsAsTheAnswerItCameWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, err := reached(t, retryUnavailable+ejectAtThree, func(ctx context.Context) error {
			if err := grpc.SendHeader(ctx, nil); err != nil {
				return err
			}
			return status.Error(codes.Unavailable, "too late")
		})
		if calls != 10 || status.Code(err) != codes.Unavailable {
			t.Errorf("%d calls got through, want 10: neither retried nor ejected (%v)", calls, err)
		}
	})
}

func TestWhatFailsOnThisSideBlamesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1")
		c := f.client("ratings", ejectAtThree)
		big := &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, 1<<10)}}
		for range 10 {
			_, err := c.UnaryCall(context.Background(), big, grpc.MaxCallSendMsgSize(10))
			if status.Code(err) != codes.ResourceExhausted || errors.As(err, new(*mesh.Error)) {
				t.Fatalf("got %v", err)
			}
		}
		if got := call(t, c); got != "v1" || i.double.calls.Load() != 1 {
			t.Errorf("got %q", got)
		}
	})
}

func TestPushbackIsObeyed(t *testing.T) {
	for value, want := range map[string]struct {
		calls int64
		took  time.Duration
	}{"5000": {2, 5 * time.Second}, "-1": {1, 0}, "never": {1, 0}} {
		t.Run(value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				i := f.start("ratings", "v1")
				var attempts atomic.Value
				i.double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error {
					md, _ := metadata.FromIncomingContext(ctx)
					if previous := md["grpc-previous-rpc-attempts"]; len(previous) > 0 {
						attempts.Store(strings.Join(previous, ","))
						return nil
					}
					if err := grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", value)); err != nil {
						return err
					}
					return status.Error(codes.Unavailable, "not now")
				})
				i.double.onStream(func(s bidi) error { return i.double.unary(s.Context(), nil) })
				c := f.client("ratings", retryUnavailable)
				for face, do := range map[string]func(testpb.TestServiceClient) error{"unary": unaryAs, "stream": bidiAs} {
					began, before := time.Now(), i.double.calls.Load()
					err := do(c)
					took, calls := time.Since(began), i.double.calls.Load()-before
					if calls != want.calls || took < want.took || took > want.took+time.Second {
						t.Errorf("%s: %d calls in %v: %v", face, calls, took, err)
					}
				}
				if got := attempts.Load(); want.calls == 2 && got != "1" {
					t.Errorf("grpc-previous-rpc-attempts is %v", got)
				}
			})
		})
	}
}

func rule(http string) mesh.Config { return mesh.Config{Rules: rules.Static(virtualService(http))} }

func TestAnswersOfTheRulesOwnAreStatuses(t *testing.T) {
	for name, c := range map[string]struct {
		rule string
		code codes.Code
		text string
	}{
		"abort":    {"  - fault: {abort: {grpcStatus: NOT_FOUND, percentage: {value: 100}}}\n    route: [{destination: {host: ratings}}]", codes.NotFound, "fault filter abort"},
		"direct":   {"  - name: closed\n    directResponse: {status: 403, body: {string: shut}}", codes.PermissionDenied, `route "closed" of VirtualService default/ratings answers by itself (403), which is no answer of gRPC's: shut`},
		"redirect": {"  - name: moved\n    redirect: {authority: elsewhere}", codes.Unknown, `route "moved" of VirtualService default/ratings redirects to http://elsewhere/grpc.testing.TestService/`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				f.start("ratings", "v1")
				client := f.clientOf(rule(c.rule), "ratings")
				for face, do := range map[string]func(testpb.TestServiceClient) error{"unary": unaryAs, "stream": bidiAs} {
					if err := do(client); status.Code(err) != c.code || !strings.Contains(err.Error(), c.text) {
						t.Errorf("%s: got %v", face, err)
					}
				}
			})
		})
	}
}

// faces are both ways to make a call.
func faces() map[string]func(context.Context, testpb.TestServiceClient, ...grpc.CallOption) error {
	return map[string]func(context.Context, testpb.TestServiceClient, ...grpc.CallOption) error{
		"unary": func(ctx context.Context, c testpb.TestServiceClient, o ...grpc.CallOption) error {
			_, err := c.UnaryCall(ctx, &testpb.SimpleRequest{}, o...)
			return err
		},
		"stream": func(ctx context.Context, c testpb.TestServiceClient, o ...grpc.CallOption) error {
			s, err := c.StreamingInputCall(ctx, o...)
			if err != nil {
				return err
			}
			_, err = s.CloseAndRecv()
			return err
		},
	}
}

func TestWaitForReadyWaitsForAnyEndpoint(t *testing.T) {
	for face, do := range faces() {
		t.Run(face, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				f.start("ratings", "v1").refuse()
				c := f.client("ratings", "")
				done := make(chan error)
				began := time.Now()
				go func() { done <- do(context.Background(), c, grpc.WaitForReady(true)) }()
				<-time.After(time.Minute)
				f.start("ratings", "v2")
				if err := <-done; err != nil || time.Since(began) > time.Minute+2*time.Second {
					t.Errorf("got %v after %v", err, time.Since(began))
				}
			})
		})
	}
}

func TestWhoWaitsInVainIsToldSoAtTheDeadline(t *testing.T) {
	for face, do := range faces() {
		t.Run(face, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				f.start("ratings", "v1").refuse()
				c := f.client("ratings", "")
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				var told []error
				began := time.Now()
				err := do(ctx, c, grpc.WaitForReady(true), grpc.OnFinish(func(err error) { told = append(told, err) }))
				if took := time.Since(began); status.Code(err) != codes.DeadlineExceeded || took != 5*time.Second {
					t.Errorf("got %v after %v", err, took)
				}
				if !errors.Is(err, mesh.ErrConnect) && !errors.Is(err, mesh.ErrNoHealthy) {
					t.Errorf("%v does not say why it waited", err)
				}
				if len(told) != 1 || told[0] == nil {
					t.Errorf("its end was told %d times: %v", len(told), told)
				}
			})
		})
	}
}

func TestTheEndOfACallIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.start("ratings", "v1").double.onUnary(func(context.Context, *testpb.SimpleRequest) error {
			return status.Error(codes.Unavailable, "not now")
		})
		c := f.client("ratings", retryUnavailable)
		told := 0
		_, err := c.UnaryCall(context.Background(), &testpb.SimpleRequest{}, grpc.OnFinish(func(error) { told++ }))
		if told != 1 || status.Code(err) != codes.Unavailable {
			t.Errorf("told %d times, %v", told, err)
		}
	})
}

func TestARouteTimeoutOfAStreamCountsFromTheEndOfTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.start("ratings", "v1").double.onStream(func(s bidi) error {
			for {
				if _, err := s.Recv(); err == io.EOF {
					break
				}
			}
			<-s.Context().Done()
			return s.Context().Err()
		})
		c := f.clientOf(rule("  - route: [{destination: {host: ratings}}]\n    timeout: 5s"), "ratings")
		s, err := c.FullDuplexCall(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour)
		if err := s.Send(message(1)); err != nil {
			t.Fatal(err)
		}
		_ = s.CloseSend()
		began := time.Now()
		_, err = s.Recv()
		if !errors.Is(err, mesh.ErrTimeout) || time.Since(began) != 5*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestNothingIsHeldWhenCallsAreOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1")
		m := f.mesh(mesh.Config{})
		conn := f.dialMesh(m, "ratings")
		c := testpb.NewTestServiceClient(conn)
		_ = unaryAs(c)
		_ = bidiAs(c)
		abandoned, leave := context.WithCancel(context.Background())
		if _, err := c.FullDuplexCall(abandoned); err != nil { // and never looked at again
			t.Fatal(err)
		}
		answered, err := c.FullDuplexCall(abandoned)
		if err != nil {
			t.Fatal(err)
		}
		if err := answered.Send(message(1)); err != nil {
			t.Fatal(err)
		}
		if _, err := answered.Recv(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := m.Clusters()[0]; got.Requests != 2 {
			t.Errorf("%d requests under way, want 2", got.Requests)
		}
		leave()
		synctest.Wait()
		broken, err := c.FullDuplexCall(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		_ = broken.Send(message(1))
		synctest.Wait()
		i.die()
		synctest.Wait()
		if _, err := broken.Recv(); err != nil { // what it had echoed
			t.Error(err)
		}
		if _, err := broken.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
		_ = conn.Close()
		synctest.Wait()
		if got := m.Clusters()[0]; got.Requests != 0 {
			t.Errorf("%d requests under way, want none", got.Requests)
		}
	})
}
