package meshgrpc_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A realm is a fleet whose workloads have identities and meshes of their own.
type realm struct {
	*fleet
	ca *tlsid.CA
}

func newRealm(tb testing.TB) *realm {
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	return &realm{newFleet(tb), ca}
}

// workload starts a service behind a mesh of its own, by rules.
func (r *realm) workload(service, documents string, wrap func(net.Listener) net.Listener) *instance {
	r.tb.Helper()
	m := r.fleet.mesh(mesh.Config{
		Workload: mesh.Workload{Service: service}, Identity: r.ca.Workload(service), Rules: rules.Static(documents),
	})
	e := discovery.Endpoint{Identity: m.Status().Identity.ID}
	if wrap == nil {
		return r.serve(service, e, nil, meshgrpc.ServerOptions(m)...)
	}
	return r.serve(service, e, func(l net.Listener) net.Listener {
		protected, err := m.Protect(l)
		if err != nil {
			r.tb.Fatal(err)
		}
		return protected
	}, meshgrpc.ServerOptions(m)...)
}

// as is a client of service that proves to be name; "" proves nothing.
func (r *realm) as(name, service string) testpb.TestServiceClient {
	r.tb.Helper()
	cfg := mesh.Config{}
	if name != "" {
		cfg.Identity = r.ca.Workload(name)
	}
	return r.clientOf(cfg, service)
}

const onlyProductpage = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ratings}
spec:
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/productpage]}}]
    to: [{operation: {paths: [/grpc.testing.TestService/UnaryCall, /grpc.testing.TestService/FullDuplexCall], methods: [POST]}}]
`

func unaryAs(c testpb.TestServiceClient) error {
	_, err := c.UnaryCall(context.Background(), &testpb.SimpleRequest{})
	return err
}

func bidiAs(c testpb.TestServiceClient) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := c.FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	if _, err := s.Recv(); err != io.EOF {
		return err
	}
	return nil
}

func TestPoliciesDecideAboutCalls(t *testing.T) {
	for name, do := range map[string]func(testpb.TestServiceClient) error{"unary": unaryAs, "stream": bidiAs} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRealm(t)
				r.workload("ratings", onlyProductpage, nil)
				for caller, want := range map[string]codes.Code{"productpage": codes.OK, "details": codes.PermissionDenied, "": codes.PermissionDenied} {
					if got := status.Code(do(r.as(caller, "ratings"))); got != want {
						t.Errorf("%q: got %v, want %v", caller, got, want)
					}
				}
			})
		})
	}
}

func TestHandlersKnowWhoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		who := make(chan mesh.Caller, 2)
		i := r.workload("ratings", "", nil)
		i.double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error {
			who <- mesh.Peer(ctx)
			p, _ := peer.FromContext(ctx)
			if _, ok := p.AuthInfo.(credentials.TLSInfo); !ok {
				t.Errorf("AuthInfo is %T", p.AuthInfo)
			}
			return nil
		})
		i.double.onStream(func(s bidi) error {
			who <- mesh.Peer(s.Context())
			return nil
		})
		c := r.as("productpage", "ratings")
		if err := unaryAs(c); err != nil {
			t.Fatal(err)
		}
		if err := bidiAs(c); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := <-who; got.ID.String() != "spiffe://cluster.local/ns/default/sa/productpage" || got.Address != "10.9.9.9:40000" {
				t.Errorf("got %+v", got)
			}
		}
	})
}

func strictly(mode string) string {
	return strings.ReplaceAll(`
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: MODE}}
`, "MODE", mode)
}

func TestCallersConnectAsTheirPortSays(t *testing.T) {
	for _, c := range []struct {
		mode               string
		mutual, inTheClear codes.Code
	}{
		{"PERMISSIVE", codes.OK, codes.OK},
		{"STRICT", codes.OK, codes.Unavailable},
		{"DISABLE", codes.Unavailable, codes.OK},
	} {
		for listener, wrap := range map[string]func(net.Listener) net.Listener{"net.Listen": nil, "Mesh.Listen": func(l net.Listener) net.Listener { return l }} {
			t.Run(c.mode+" "+listener, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRealm(t)
					r.workload("ratings", strictly(c.mode), wrap)
					if got := status.Code(unaryAs(r.as("productpage", "ratings"))); got != c.mutual {
						t.Errorf("mutual TLS: got %v, want %v", got, c.mutual)
					}
					if got := status.Code(unaryAs(r.as("", "ratings"))); got != c.inTheClear {
						t.Errorf("plaintext: got %v, want %v", got, c.inTheClear)
					}
				})
			})
		}
	}
}

func TestAServerMustProveToBeTheEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		i := r.workload("ratings", "", nil)
		i.endpoint.Identity = "spiffe://cluster.local/ns/default/sa/somebody-else"
		r.edit("ratings", func(all []*instance) []*instance { return all })
		if err := unaryAs(r.as("productpage", "ratings")); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
		if n := i.double.calls.Load(); n != 0 {
			t.Errorf("%d calls went through", n)
		}
	})
}

func TestAnHTTPHopsDeadlineIsInherited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		m := f.mesh(mesh.Config{})
		f.start("ratings", "v1", meshgrpc.ServerOptions(m)...).double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error {
			began := time.Now()
			<-ctx.Done()
			if took := time.Since(began); took != 250*time.Millisecond {
				t.Errorf("the call ended after %v", took)
			}
			return nil
		})
		ctx := metadata.AppendToOutgoingContext(context.Background(), "x-envoy-expected-rq-timeout-ms", "250")
		if _, err := f.client("ratings", "").UnaryCall(ctx, &testpb.SimpleRequest{}); err != nil {
			t.Error(err)
		}
	})
}

// What an HTTP hop waits for is the headers, or it counts from the end of the request: a
// stream may take longer than that.
func TestAnHTTPHopsDeadlineIsNoStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1", meshgrpc.ServerOptions(f.mesh(mesh.Config{}))...)
		i.double.onStream(func(s bidi) error {
			select {
			case <-time.After(time.Minute):
				return nil
			case <-s.Context().Done():
				return s.Context().Err()
			}
		})
		ctx := metadata.AppendToOutgoingContext(context.Background(), "x-envoy-expected-rq-timeout-ms", "250")
		s, err := f.client("ratings", "").FullDuplexCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_ = s.CloseSend()
		if _, err := s.Recv(); err != io.EOF {
			t.Errorf("got %v", err)
		}
	})
}

const twoASecond = `
apiVersion: policy.linkerd.io/v1alpha1
kind: HTTPLocalRateLimitPolicy
metadata: {name: ratings}
spec:
  targetRef: {group: policy.linkerd.io, kind: Server, name: ratings}
  total: {requestsPerSecond: 2}
`

func TestRatesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		r.workload("ratings", twoASecond, nil)
		c := r.as("productpage", "ratings")
		var got []codes.Code
		var trailer metadata.MD
		for range 3 {
			_, err := c.UnaryCall(context.Background(), &testpb.SimpleRequest{}, grpc.Trailer(&trailer))
			got = append(got, status.Code(err))
		}
		if got[0] != codes.OK || got[1] != codes.OK || got[2] != codes.Unavailable {
			t.Errorf("got %v", got)
		}
		if len(trailer["x-envoy-ratelimited"]) == 0 || len(trailer["grpc-retry-pushback-ms"]) == 0 {
			t.Errorf("got %v", trailer)
		}
	})
}

// A stream counts once, when it begins, however much is said on it.
func TestRatesOfStreamsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		i := r.workload("ratings", twoASecond, nil)
		c := r.as("productpage", "ratings")
		begin := func() (testpb.TestService_FullDuplexCallClient, error) {
			b, err := c.FullDuplexCall(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_ = b.Send(message(1)) // Recv says what there is to say
			_, err = b.Recv()
			return b, err
		}
		first, err1 := begin()
		_, err2 := begin()
		refused, err3 := begin()
		if err1 != nil || err2 != nil || status.Code(err3) != codes.Unavailable {
			t.Fatalf("%v, %v, %v", err1, err2, err3)
		}
		if trailer := refused.Trailer(); len(trailer["x-envoy-ratelimited"]) == 0 || len(trailer["grpc-retry-pushback-ms"]) == 0 {
			t.Errorf("got %v", trailer)
		}
		for range 5 {
			if err := echo(first, 100); err != nil {
				t.Errorf("the first stream: %v", err)
			}
		}
		<-time.After(time.Second)
		if _, err := begin(); err != nil {
			t.Errorf("a stream of the next second: %v", err)
		}
		if got := i.double.calls.Load(); got != 3 {
			t.Errorf("%d streams reached the handler, want 3", got)
		}
	})
}
