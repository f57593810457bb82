package meshgrpc_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
)

func TestHostsAreConnectedToWhenTheyArePicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		var all []*instance
		for range 100 {
			all = append(all, f.start("ratings", "v1"))
		}
		c := f.client("ratings", "")
		for range 10 {
			call(t, c)
		}
		connected := 0
		for _, i := range all {
			open, ever := i.connections()
			connected += open
			if ever > 1 {
				t.Errorf("%d connections to one host", ever)
			}
		}
		if connected == 0 || connected > 10 {
			t.Errorf("%d hosts are connected to after 10 calls", connected)
		}
	})
}

// held opens a stream and has it echo once.
func held(t *testing.T, c testpb.TestServiceClient) func() error {
	t.Helper()
	s, err := c.FullDuplexCall(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	echo := func() error {
		if err := s.Send(message(1)); err != nil {
			return err
		}
		_, err := s.Recv()
		return err
	}
	if err := echo(); err != nil {
		t.Fatal(err)
	}
	return func() error {
		if err := echo(); err != nil {
			return err
		}
		_ = s.CloseSend()
		if _, err := s.Recv(); err != io.EOF {
			return err
		}
		return nil
	}
}

func TestAConnectionEndsWithWhatItIsFor(t *testing.T) {
	for name, c := range map[string]struct {
		rules  func(n int) string
		change func(i *instance, book pages)
		after  time.Duration
		again  bool // the host is called again
	}{
		"the host leaves":    {page, func(i *instance, _ pages) { i.withdraw() }, 10 * time.Second, false},
		"the policy changes": {page, func(_ *instance, book pages) { book <- page(1) }, 10 * time.Second, true},
		"it is idle": {
			func(int) string {
				return destinationRule("  trafficPolicy: {connectionPool: {tcp: {idleTimeout: 60s}}}")
			},
			func(*instance, pages) {}, 90 * time.Second, true,
		},
		"it is old": {
			func(int) string {
				return destinationRule("  trafficPolicy: {connectionPool: {tcp: {maxConnectionDuration: 60s}}}")
			},
			func(*instance, pages) {}, 90 * time.Second, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				i := f.start("ratings", "v1")
				book := make(pages, 1)
				book <- c.rules(0)
				client := f.clientOf(mesh.Config{Rules: book, HoldEmpty: -1}, "ratings")
				last := held(t, client)
				if name == "it is idle" { // no stream holds it
					if err := last(); err != nil {
						t.Fatal(err)
					}
					last = func() error { return nil }
				}
				c.change(i, book)
				<-time.After(c.after)
				if err := last(); err != nil {
					t.Errorf("the stream that was open broke: %v", err)
				}
				synctest.Wait()
				if open, _ := i.connections(); open != 0 {
					t.Errorf("%d connections are still there", open)
				}
				if c.again {
					call(t, client)
					if open, ever := i.connections(); open != 1 || ever != 2 {
						t.Errorf("%d connections, %d in all", open, ever)
					}
				}
			})
		})
	}
}

func TestAConnectionCarriesItsNumberOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1")
		c := f.client("ratings", destinationRule("  trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 3}}}"))
		for range 9 {
			call(t, c)
		}
		synctest.Wait()
		if open, ever := i.connections(); open != 1 || ever != 3 {
			t.Errorf("%d connections, %d in all, want 3 for 9 calls", open, ever)
		}
	})
}

func TestAConnectionCarriesItsNumberOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1")
		c := f.client("ratings", destinationRule("  trafficPolicy: {connectionPool: {http: {maxConcurrentStreams: 2}}}"))
		var last []func() error
		for range 5 {
			last = append(last, held(t, c))
		}
		if open, _ := i.connections(); open != 3 {
			t.Errorf("%d connections for 5 streams", open)
		}
		for _, end := range last {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		for range 10 {
			call(t, c)
		}
		if open, ever := i.connections(); open != 3 || ever != 3 {
			t.Errorf("%d connections, %d in all", open, ever)
		}
	})
}

func TestConnectionsAreKeptAliveByTheRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1", grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second}))
		c := f.client("ratings", destinationRule("  trafficPolicy: {connectionPool: {http: {http2KeepAlive: {interval: 20s, timeout: 5s}}}}"))
		last := held(t, c)
		<-time.After(time.Minute)
		if open, _ := i.connections(); open != 1 {
			t.Errorf("%d connections that are answered", open)
		}
		i.hang()
		<-time.After(30 * time.Second)
		if err := last(); err != io.EOF { // of Send: the stream has ended
			t.Errorf("got %v from a connection that is dead", err)
		}
	})
}

func TestAConnectionDoesNotOutliveTheCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		i := r.workload("ratings", "", nil)
		c := r.as("productpage", "ratings")
		call(t, c)
		last := held(t, c)
		<-time.After(time.Hour) // a certificate lasts no longer
		if err := last(); err != nil {
			t.Errorf("a rotation broke a stream: %v", err)
		}
		call(t, c)
		synctest.Wait()
		if open, ever := i.connections(); open != 1 || ever < 2 {
			t.Errorf("%d connections, %d in all", open, ever)
		}
	})
}

func TestServersMayDrainTheirConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1", grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: time.Second}))
		c := f.client("ratings", virtualService("  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 0}"))
		last := held(t, c)
		for range 1000 {
			call(t, c)
			<-time.After(10 * time.Millisecond)
		}
		if err := last(); err != nil {
			t.Error(err)
		}
		if _, ever := i.connections(); ever < 5 {
			t.Errorf("%d connections in 10 s", ever)
		}
	})
}

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

func TestHostsThatNobodyKnowsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1")
		f.source.Remove("ratings")
		if err := errors.Join(unaryAs(f.client(i.endpoint.Address, "")), bidiAs(f.client(i.endpoint.Address, ""))); err != nil {
			t.Error(err)
		}
		err := unaryAs(f.clientOf(mesh.Config{OutboundPolicy: mesh.RegistryOnly}, i.endpoint.Address))
		if !errors.Is(err, mesh.ErrUnknownHost) || status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
	})
}

func TestTargetsAreServices(t *testing.T) {
	m := newFleet(t).mesh(mesh.Config{})
	for _, target := range []string{"", "ratings", "dns:///ratings", "mesh://ratings", "mesh:///", "mesh:///a/b"} {
		if conn, err := meshgrpc.NewClient(m, target); err == nil || !strings.Contains(err.Error(), "mesh:///service") {
			t.Errorf("%q: got %v, %v", target, conn, err)
		}
	}
	conn, err := grpc.NewClient("passthrough:///ratings", meshgrpc.DialOptions(m)...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := testpb.NewTestServiceClient(conn)
	for _, err := range []error{unaryAs(c), bidiAs(c)} {
		if err == nil || !strings.Contains(err.Error(), "mesh:///service") {
			t.Errorf("got %v", err)
		}
	}
}

func TestTLSIsDoneOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		r.workload("ratings", "", nil)
		m := r.mesh(mesh.Config{Identity: r.ca.Workload("productpage"), Rules: nil})
		conn := r.dialMesh(m, "ratings", grpc.WithTransportCredentials(credentials.NewTLS(nil)))
		if err := unaryAs(testpb.NewTestServiceClient(conn)); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err) // the caller's own TLS stands, and does not trust the mesh's authority
		}
	})
}

// packed notes how big messages are on the wire.
type packed struct {
	stats.Handler
	sizes atomic.Int64
	names chan string
}

func (*packed) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*packed) HandleConn(context.Context, stats.ConnStats)                       {}
func (*packed) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (p *packed) HandleRPC(_ context.Context, s stats.RPCStats) {
	switch s := s.(type) {
	case *stats.InHeader:
		p.names <- s.Compression
	case *stats.InPayload:
		p.sizes.Add(int64(s.CompressedLength))
	}
}

func TestCompressionIsTheCallersToChooseForEachTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, seen := newFleet(t), &packed{names: make(chan string, 10)}
		i := f.start("ratings", "v1", grpc.StatsHandler(seen))
		i.double.onUnary(func(_ context.Context, in *testpb.SimpleRequest) error {
			if len(in.Payload.Body) != 1<<20 {
				t.Errorf("%d bytes arrived", len(in.Payload.Body))
			}
			return status.Error(codes.Unavailable, "not now")
		})
		c := f.client("ratings", retryOn("unavailable"))
		big := &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, 1<<20)}}
		if _, err := c.UnaryCall(context.Background(), big, grpc.UseCompressor(gzip.Name)); status.Code(err) != codes.Unavailable {
			t.Error(err)
		}
		for range 3 {
			if got := <-seen.names; got != gzip.Name {
				t.Errorf("a try is compressed by %q", got)
			}
		}
		if got := seen.sizes.Load(); got == 0 || got > 3<<13 {
			t.Errorf("3 tries of 1 MiB took %d bytes", got)
		}
	})
}
