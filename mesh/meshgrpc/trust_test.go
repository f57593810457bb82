package meshgrpc_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/tlsid"
)

func TestAConnectionEndsWithTheTrustInItsPeer(t *testing.T) {
	ours, theirs := caOf(t, "ours.example"), caOf(t, "theirs.example")
	for name, c := range map[string]struct {
		change func(server, client *side)
		want   codes.Code // of the next call
	}{
		"the server removes the client's root": {func(server, _ *side) { server.trusts(ours) }, codes.PermissionDenied},
		"the client removes the server's root": {func(_, client *side) { client.trusts(theirs) }, codes.Unavailable},
		"the server trusts one more":           {func(server, _ *side) { server.trusts(ours, theirs, caOf(t, "more.example")) }, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			server := newSide(t, ours, mesh.Config{Workload: mesh.Workload{Service: "ratings"}}, theirs)
			at, connections := server.onTheWire()
			source, err := discovery.NewStatic(map[string][]discovery.Endpoint{"ratings": {at}})
			if err != nil {
				t.Fatal(err)
			}
			client := newSide(t, theirs, mesh.Config{Workload: mesh.Workload{Service: "productpage"}, Discovery: source}, ours)
			conn, err := meshgrpc.NewClient(client.mesh, "mesh:///ratings")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ratings := testpb.NewTestServiceClient(conn)
			call(t, ratings)
			last := held(t, ratings)

			c.change(server, client)
			if err := unaryAs(ratings); status.Code(err) != c.want {
				t.Errorf("the next call: got %v, want %v", err, c.want)
			}
			if len(connections.lost) != 0 {
				t.Error("the connection did not wait for the stream on it")
			}
			if err := last(); err != nil {
				t.Errorf("the stream that was open broke: %v", err)
			}
			if c.want == codes.OK {
				call(t, ratings)
				if len(connections.lost) != 0 {
					t.Error("a connection ended without a reason")
				}
				return
			}
			within(t, connections.lost)
			if err := unaryAs(ratings); status.Code(err) != codes.Unavailable {
				t.Errorf("a call that needs a new connection: got %v", err)
			}
		})
	}
}

func within(t *testing.T, happens <-chan struct{}) {
	t.Helper()
	select {
	case <-happens:
	case <-time.After(time.Minute):
		t.Fatal("it did not happen within a minute")
	}
}

// A peer that renews its certificate while its connection stays would be refused,
// there, as soon as the old root goes.
func TestAConnectionGivesWayBeforeItsCertificateEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		i := r.workload("ratings", "", nil)
		old, began := issue(t, r.ca, "productpage"), time.Now() // for an hour
		c := r.clientOf(mesh.Config{Identity: tlsid.Static(old)}, "ratings")
		call(t, c)
		last := held(t, c)
		for _, step := range []struct {
			at   time.Duration
			ever int // connections, after a call and another one
		}{{40 * time.Minute, 1}, {46 * time.Minute, 2}, {47 * time.Minute, 2}} {
			<-time.After(time.Until(began.Add(step.at)))
			call(t, c)
			synctest.Wait()
			call(t, c)
			if _, ever := i.connections(); ever != step.ever {
				t.Errorf("after %v: %d connections, want %d", step.at, ever, step.ever)
			}
		}
		if err := last(); err != nil {
			t.Errorf("the stream that was open broke: %v", err)
		}
		synctest.Wait()
		if open, _ := i.connections(); open != 1 {
			t.Errorf("%d connections are open, want the new one", open)
		}
	})
}

// echo sends a message and gets it back.
func echo(s testpb.TestService_FullDuplexCallClient, size int) error {
	if err := s.Send(message(size)); err != nil {
		return err
	}
	out, err := s.Recv()
	if err == nil && len(out.Payload.Body) != size {
		err = fmt.Errorf("%d bytes came back of %d", len(out.Payload.Body), size)
	}
	return err
}

// slowly takes a millisecond for each big write to a connection.
func slowly(l net.Listener) net.Listener { return slow{l} }

type slow struct{ net.Listener }

func (l slow) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return slowConn{c}, err
}

type slowConn struct{ net.Conn }

func (c slowConn) Write(p []byte) (int, error) {
	if len(p) > 500 {
		<-time.After(time.Millisecond)
	}
	return c.Conn.Write(p)
}

// Between HEADERS and their CONTINUATION nothing else may be said (RFC 9113 §6.10).
func TestAConnectionGivesWayBehindBigMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		server := r.mesh(mesh.Config{Workload: mesh.Workload{Service: "ratings"}, Identity: r.ca.Workload("ratings")})
		big := strings.Repeat("x", 1<<16) // takes several frames
		options := append(meshgrpc.ServerOptions(server),
			grpc.WriteBufferSize(0),                                              // each frame is written for itself
			grpc.StaticStreamWindowSize(1<<20), grpc.StaticConnWindowSize(1<<20), // and none but the answer's
			grpc.ChainUnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
				_ = grpc.SetHeader(ctx, metadata.Pairs("big", big))
				return handle(ctx, request)
			}))
		i := r.serve("ratings", discovery.Endpoint{Identity: server.Status().Identity.ID}, nil, options...)
		c := r.clientOf(mesh.Config{Identity: tlsid.Static(issue(t, r.ca, "productpage"))}, "ratings")
		last := held(t, c)
		<-time.After(50 * time.Minute)
		var header metadata.MD
		if _, err := c.UnaryCall(t.Context(), &testpb.SimpleRequest{}, grpc.Header(&header)); err != nil || !slices.Equal(header["big"], []string{big}) {
			t.Errorf("the last call of the connection: %v, %d values", err, len(header["big"]))
		}
		if err := last(); err != nil {
			t.Errorf("the stream that was open broke: %v", err)
		}
		synctest.Wait()
		call(t, c)
		if _, ever := i.connections(); ever != 2 {
			t.Errorf("%d connections, want 2", ever)
		}
	})
}

func TestAConnectionGivesWayAmidBigMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		server := r.mesh(mesh.Config{Workload: mesh.Workload{Service: "ratings"}, Identity: r.ca.Workload("ratings")})
		options := append(meshgrpc.ServerOptions(server), grpc.WriteBufferSize(1000)) // big frames are written in parts
		i := r.serve("ratings", discovery.Endpoint{Identity: server.Status().Identity.ID}, slowly, options...)
		c := r.clientOf(mesh.Config{Identity: tlsid.Static(issue(t, r.ca, "productpage"))}, "ratings")
		call(t, c)
		var streams []testpb.TestService_FullDuplexCallClient
		for range 4 {
			s, err := c.FullDuplexCall(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			streams = append(streams, s)
		}
		<-time.After(50 * time.Minute)
		var echoing sync.WaitGroup
		for n, s := range streams {
			echoing.Go(func() {
				for k := range 30 {
					if err := echo(s, 30_000*n+k); err != nil {
						t.Error(err)
					}
				}
				_ = s.CloseSend()
			})
		}
		for range 30 {
			call(t, c)
		}
		echoing.Wait()
		synctest.Wait() // the last write is whole, whatever those before it were
		call(t, c)
		if _, ever := i.connections(); ever < 2 {
			t.Errorf("%d connection", ever)
		}
	})
}
