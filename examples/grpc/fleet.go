package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A fleet is the servers and the callers, and the authority that vouches for
// them. In real life each would be a process, with its credential from files or
// from the SPIFFE agent of its machine.
type fleet struct {
	ca      *tlsid.CA
	rules   rules.Source
	where   *discovery.Static
	quotes  []*quotes
	retries atomic.Int64

	served sync.WaitGroup
	ends   []func() // in reverse
}

// startFleet starts two servers of v1 and one of v2, or none.
func startFleet(ctx context.Context, source rules.Source) (*fleet, error) {
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		return nil, err
	}
	where, err := discovery.NewStatic(nil)
	if err != nil {
		return nil, err
	}
	f := &fleet{ca: ca, rules: source, where: where}
	var endpoints []discovery.Endpoint
	for _, q := range []*quotes{{version: "v1"}, {version: "v1"}, {version: "v2", moody: true}} {
		e, err := f.serve(ctx, q)
		if err != nil {
			f.close()
			return nil, err
		}
		f.quotes, endpoints = append(f.quotes, q), append(endpoints, e)
	}
	if err := where.Set("quotes", endpoints); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// serve starts a server behind a mesh of its own.
func (f *fleet) serve(ctx context.Context, q *quotes) (discovery.Endpoint, error) {
	labels := map[string]string{"app": "quotes", "version": q.version}
	m, err := f.mesh(ctx, mesh.Workload{Service: "quotes", Labels: labels})
	if err != nil {
		return discovery.Endpoint{}, err
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return discovery.Endpoint{}, err
	}
	server := grpc.NewServer(meshgrpc.ServerOptions(m)...) // the mesh, before a server
	server.RegisterService(&quotesDesc, q)
	f.served.Go(func() { _ = server.Serve(lis) })
	f.atEnd(server.Stop)
	return discovery.Endpoint{Address: lis.Addr().String(), Labels: labels, Identity: m.Status().Identity.ID}, nil
}

// dial is a caller's connection to quotes.
func (f *fleet) dial(ctx context.Context, caller string) (*grpc.ClientConn, error) {
	m, err := f.mesh(ctx, mesh.Workload{Service: caller})
	if err != nil {
		return nil, err
	}
	conn, err := meshgrpc.NewClient(m, "mesh:///quotes") // the mesh, behind a client
	if err != nil {
		return nil, err
	}
	f.atEnd(func() { _ = conn.Close() })
	return conn, nil
}

// mesh is that of one workload.
func (f *fleet) mesh(ctx context.Context, w mesh.Workload) (*mesh.Mesh, error) {
	m, err := mesh.New(ctx, mesh.Config{
		Workload:  w,
		Rules:     f.rules,
		Discovery: f.where,
		Identity:  f.ca.Workload(w.Service),
		Observer:  mesh.Observer{Retry: func(mesh.RetryInfo) { f.retries.Add(1) }},
	})
	if err != nil {
		return nil, err
	}
	f.atEnd(func() { _ = m.Close() })
	return m, nil
}

func (f *fleet) atEnd(end func()) { f.ends = append(f.ends, end) }

// close ends everything, in reverse.
func (f *fleet) close() {
	for i := len(f.ends) - 1; i >= 0; i-- {
		f.ends[i]()
	}
	f.served.Wait()
}
