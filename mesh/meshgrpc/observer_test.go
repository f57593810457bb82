package meshgrpc_test

import (
	"context"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A watch is an observer that keeps what it is told.
type watch struct {
	mu       sync.Mutex
	over     []mesh.RequestInfo
	retries  []mesh.RetryInfo
	circuits []mesh.CircuitInfo
}

func newWatch() *watch { return new(watch) }

func (w *watch) config(documents string) mesh.Config {
	keep := func(do func()) {
		w.mu.Lock()
		defer w.mu.Unlock()
		do()
	}
	return mesh.Config{Rules: rules.Static(documents), Observer: mesh.Observer{
		Request: func(i mesh.RequestInfo) { keep(func() { w.over = append(w.over, i) }) },
		Retry:   func(i mesh.RetryInfo) { keep(func() { w.retries = append(w.retries, i) }) },
		Circuit: func(i mesh.CircuitInfo) { keep(func() { w.circuits = append(w.circuits, i) }) },
	}}
}

func (w *watch) requests() []mesh.RequestInfo {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.over)
}

// A caller who waits for a connection makes one call, whatever becomes of it.
func TestTheObserverIsToldOnceOfACallThatWaits(t *testing.T) {
	for face, do := range patient {
		for name, c := range map[string]struct {
			rule  string
			back  time.Duration
			code  codes.Code
			flags string
		}{
			"it is answered":       {onlyOnce, 5 * time.Second, codes.OK, "-"},
			"it is late at first":  {onlyOnce + "\n    fault: {delay: {percentage: {value: 100}, fixedDelay: 1s}}", 5 * time.Second, codes.OK, "DI"},
			"the rule answers":     {"  - directResponse: {status: 503}", 0, codes.Unavailable, "-"},
			"no route is its own":  {"  - match: [{uri: {exact: /none}}]\n    route: [{destination: {host: ratings}}]", 0, codes.Unimplemented, "NR"},
			"the time is up first": {onlyOnce, time.Hour, codes.DeadlineExceeded, "UF"},
		} {
			t.Run(face+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f, w := newFleet(t), newWatch()
					i := f.start("ratings", "v1")
					i.refuse()
					time.AfterFunc(c.back, i.comeBack)
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					defer cancel()
					began := time.Now()
					if err := do(ctx, f.clientOf(w.config(virtualService(c.rule)), "ratings")); status.Code(err) != c.code {
						t.Errorf("got %v, want %v", err, c.code)
					}
					took := time.Since(began)
					synctest.Wait()
					if got := w.requests(); len(got) != 1 || got[0].Flags != c.flags || got[0].Duration != took || !got[0].Start.Equal(began) {
						t.Errorf("told of %+v", got)
					}
				})
			})
		}
	}
}

// patient are the two kinds of calls, of callers who wait for a connection.
var patient = map[string]func(context.Context, testpb.TestServiceClient) error{
	"unary": func(ctx context.Context, c testpb.TestServiceClient) error {
		_, err := c.UnaryCall(ctx, &testpb.SimpleRequest{}, grpc.WaitForReady(true))
		return err
	},
	"stream": func(ctx context.Context, c testpb.TestServiceClient) error {
		s, err := c.StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{}, grpc.WaitForReady(true))
		if err != nil {
			return err
		}
		if _, err = s.Recv(); err == io.EOF {
			return nil
		}
		return err
	},
}

func TestTheObserverIsToldOfCalls(t *testing.T) {
	for face, do := range both {
		t.Run(face, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, w := newFleet(t), newWatch()
				i := f.start("ratings", "v1")
				refuse := func() error {
					<-time.After(time.Second)
					return status.Error(codes.Unavailable, "not now")
				}
				i.double.onUnary(func(context.Context, *testpb.SimpleRequest) error { return refuse() })
				i.double.onStream(func(bidi) error { return refuse() })
				c := f.clientOf(w.config(virtualService(`
  - name: all
    route: [{destination: {host: ratings, subset: v1}}]
    retries: {attempts: 1, retryOn: unavailable, backoff: 1ms}`)+
					destinationRule("  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 2}}\n  subsets: [{name: v1, labels: {version: v1}}]")), "ratings")
				_ = do(c)
				synctest.Wait()
				w.mu.Lock()
				defer w.mu.Unlock()
				if len(w.over) != 1 || len(w.retries) != 1 || len(w.circuits) != 1 {
					t.Fatalf("told of %+v", w)
				}
				got := w.over[0]
				if took := got.Duration; took < 2*time.Second || took > 2*time.Second+100*time.Millisecond {
					t.Errorf("took %v", took)
				}
				got.Start, got.Duration = time.Time{}, 0
				want := mesh.RequestInfo{
					Service: "ratings.default.svc.cluster.local", Rule: "default/ratings", Route: "all",
					Destination: "ratings.default.svc.cluster.local", Subset: "v1", Endpoint: i.endpoint.Address,
					Method: "POST", Status: 200, GRPCStatus: int(codes.Unavailable), Flags: "URX", Attempts: 2,
				}
				if got != want {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
				if r := w.retries[0]; r.Endpoint != i.endpoint.Address || r.Attempt != 1 || r.Err != nil {
					t.Errorf("a retry: %+v", r)
				}
				if c := w.circuits[0]; c.Endpoint != i.endpoint.Address || c.Event.Kind != breaker.Ejected {
					t.Errorf("a circuit: %+v", c)
				}
			})
		})
	}
}
