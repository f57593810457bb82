package meshgrpc_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A server is told what a rule leaves of the time, and never less than that: it
// must not give up before the caller does.
func TestAServerIsToldWhatARuleLeavesOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		var told []time.Duration
		f.start("ratings", "v1").double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error {
			deadline, _ := ctx.Deadline()
			told = append(told, time.Until(deadline))
			<-time.After(300*time.Millisecond + 400*time.Microsecond)
			return status.Error(codes.Unavailable, "not now")
		})
		c := f.client("ratings", virtualService(`
  - route: [{destination: {host: ratings}}]
    timeout: 1s
    retries: {attempts: 1, retryOn: unavailable, backoff: 1ms}`))
		began := time.Now()
		_ = unaryAs(c)
		waited := time.Since(began) - 600*time.Millisecond - 800*time.Microsecond // between the tries
		left := time.Second - 300*time.Millisecond - 400*time.Microsecond - waited
		want := []time.Duration{time.Second, (left + time.Millisecond - 1).Truncate(time.Millisecond)}
		if len(told) != 2 || told[0] != want[0] || told[1] != want[1] {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}

// A try that waits for a connection does not hand on the time that has gone.
func TestAServerIsToldWhatAConnectionHasLeftOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		var told time.Duration
		late := func(l net.Listener) net.Listener { return belated{l} }
		f.serve("ratings", discovery.Endpoint{}, late).double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error {
			deadline, _ := ctx.Deadline()
			told = time.Until(deadline)
			return nil
		})
		err := unaryAs(f.client("ratings", virtualService("  - route: [{destination: {host: ratings}}]\n    timeout: 2s")))
		if err != nil || told != 1500*time.Millisecond {
			t.Errorf("told %v, want 1.5s (%v)", told, err)
		}
	})
}

// A belated listener takes half a second for each connection.
type belated struct{ net.Listener }

func (b belated) Accept() (net.Conn, error) {
	c, err := b.Listener.Accept()
	<-time.After(500 * time.Millisecond)
	return c, err
}

// A caller's deadline holds for whoever works for it, three hops on, by HTTP or gRPC.
func TestADeadlineGoesFromHTTPToGRPCAndOnByHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web, f := meshtest.New(t), newFleet(t)
		left := make(chan time.Duration, 3)
		tell := func(ctx context.Context) {
			deadline, ok := ctx.Deadline()
			if !ok {
				t.Error("a hop has no deadline")
			}
			left <- time.Until(deadline)
		}
		get := func(ctx context.Context, timeout, url string) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(url, "http://")
			resp, err := web.Client(mesh.Config{Rules: rules.Static(strings.ReplaceAll(
				virtualService("  - route: [{destination: {host: ratings}}]\n    timeout: "+timeout), "ratings", name))}).Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
		}
		web.StartMesh(mesh.Config{Workload: mesh.Workload{Service: "details"}}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			tell(r.Context())
		}))
		f.start("ratings", "v1", meshgrpc.ServerOptions(f.mesh(mesh.Config{}))...).double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error {
			tell(ctx)
			get(ctx, "1h", "http://details")
			return nil
		})
		ratings := f.client("ratings", "")
		web.StartMesh(mesh.Config{Workload: mesh.Workload{Service: "productpage"}}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			tell(r.Context())
			if _, err := ratings.UnaryCall(r.Context(), &testpb.SimpleRequest{}); err != nil {
				t.Error(err)
			}
		}))
		get(context.Background(), "2s", "http://productpage")
		for range 3 {
			if d := <-left; d != 2*time.Second { // no time passes here
				t.Errorf("a hop has %v, want 2s", d)
			}
		}
	})
}
