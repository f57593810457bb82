package meshgrpc_test

import (
	"context"
	"crypto/x509"
	"iter"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/stats"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A side is one end of a connection, whose credential the test changes.
type side struct {
	t     *testing.T
	own   tlsid.Credential
	puts  chan tlsid.Credential
	taken chan struct{}
	mesh  *mesh.Mesh
}

// Watch implements tlsid.Source.
func (s *side) Watch(ctx context.Context) iter.Seq2[tlsid.Credential, error] {
	return func(yield func(tlsid.Credential, error) bool) {
		for {
			select {
			case c := <-s.puts:
				if !yield(c, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func caOf(t *testing.T, domain string) *tlsid.CA {
	t.Helper()
	d, err := tlsid.ParseTrustDomain(domain)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := tlsid.NewCA(tlsid.CAConfig{TrustDomain: d})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func issue(t *testing.T, ca *tlsid.CA, name string) tlsid.Credential {
	t.Helper()
	id, err := tlsid.ForWorkload(ca.Bundles().Domains()[0], "default", name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ca.Issue(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newSide is a workload of ca that trusts others, too.
func newSide(t *testing.T, ca *tlsid.CA, cfg mesh.Config, others ...*tlsid.CA) *side {
	t.Helper()
	s := &side{t: t, own: issue(t, ca, cfg.Workload.Service), puts: make(chan tlsid.Credential, 1), taken: make(chan struct{}, 10)}
	s.puts <- trusting(s.own, append(others, ca)...)
	cfg.Identity = s
	cfg.Observer.Identity = func(mesh.IdentityInfo) { s.taken <- struct{}{} }
	m, err := mesh.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	<-s.taken
	s.mesh = m
	return s
}

// trusting is a credential with the roots of these authorities.
func trusting(c tlsid.Credential, cas ...*tlsid.CA) tlsid.Credential {
	domains := map[tlsid.TrustDomain][]*x509.Certificate{}
	for _, ca := range cas {
		for _, d := range ca.Bundles().Domains() {
			domains[d] = ca.Bundles().Roots(d)
		}
	}
	return c.With(tlsid.NewBundles(domains))
}

// trusts puts in force whom the side trusts from now on.
func (s *side) trusts(cas ...*tlsid.CA) {
	s.puts <- trusting(s.own, cas...)
	<-s.taken
}

// ends counts the connections that a server has lost.
type ends struct{ lost chan struct{} }

func (ends) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (ends) HandleRPC(context.Context, stats.RPCStats)                         {}
func (ends) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (e ends) HandleConn(_ context.Context, s stats.ConnStats) {
	if _, ok := s.(*stats.ConnEnd); ok {
		e.lost <- struct{}{}
	}
}

// onTheWire serves by mutual TLS on the loopback interface.
func (s *side) onTheWire() (discovery.Endpoint, ends) {
	s.t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	e := ends{make(chan struct{}, 10)}
	server := grpc.NewServer(append(meshgrpc.ServerOptions(s.mesh), grpc.StatsHandler(e))...)
	testpb.RegisterTestServiceServer(server, newDouble(lis.Addr().String(), "v1"))
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(lis) })
	s.t.Cleanup(func() {
		server.Stop()
		served.Wait()
	})
	return discovery.Endpoint{Address: lis.Addr().String(), Identity: s.own.ID().String()}, e
}
