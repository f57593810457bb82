package meshgrpc_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

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
