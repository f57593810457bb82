package meshgrpc_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
