package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A deployment is one version of a service, and how many servers run it.
type deployment struct {
	service, version string
	servers          int
	handler          func(*http.Client) http.Handler
}

// deployments is what runs. reviews has two servers of each version, so that
// there is one to go on with when the other is ejected.
func deployments() []deployment {
	return []deployment{
		{"productpage", "v1", 1, productpage},
		{"details", "v1", 1, details},
		{"reviews", "v1", 2, reviews("v1", "")},
		{"reviews", "v2", 2, reviews("v2", "black")},
		{"reviews", "v3", 2, reviews("v3", "red")},
		{"ratings", "v1", 1, ratings},
	}
}

// isReviews says that reviews runs in this version.
func isReviews(version string) bool {
	for _, d := range deployments() {
		if d.service == "reviews" && d.version == version {
			return true
		}
	}
	return false
}

// A server is one process of the tour. In real life it would be a container,
// and would start its mesh in main.
type server struct {
	deployment
	listener net.Listener
	mesh     *mesh.Mesh
	client   *http.Client
	pages    *pages
	http     *http.Server
	done     chan struct{} // closed when http serves no more
}

// A fleet is all servers, and the authority that vouches for them. In real life
// each process would have its credential from files, or from the SPIFFE agent of
// its machine; here one process may as well be its own authority.
type fleet struct {
	servers []*server
	ca      *tlsid.CA
	dir     string // of the rules
	where   discovery.Source
	census  census
}

// startFleet starts all servers, or none. One server of the version ill of
// reviews, if any, is not well.
func startFleet(ctx context.Context, dir, ill string, o observer) (*fleet, error) {
	f := &fleet{dir: dir}
	if err := f.start(ctx, o); err != nil {
		f.close()
		return nil, err
	}
	f.serve(ill, o)
	return f, nil
}

// start takes the ports, then makes the meshes, which need all addresses.
func (f *fleet) start(ctx context.Context, o observer) (err error) {
	if f.ca, err = tlsid.NewCA(tlsid.CAConfig{}); err != nil {
		return err
	}
	if err := f.listen(); err != nil {
		return err
	}
	if f.where, err = f.discovery(); err != nil {
		return err
	}
	for _, s := range f.servers {
		if err := f.equip(ctx, s, o.hooks(s.service, f.versions())); err != nil {
			return fmt.Errorf("%s %s: %w", s.service, s.version, err)
		}
	}
	return nil
}

// listen takes a loopback port for every server.
func (f *fleet) listen() error {
	for _, d := range deployments() {
		for range d.servers {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			s := &server{deployment: d, listener: l}
			f.servers = append(f.servers, s) // from here on it is closed with the fleet
			if s.pages, err = openPages(); err != nil {
				return err
			}
		}
	}
	return nil
}

// discovery says where the services live, which server runs which version, and
// who it has to prove to be: so callers speak mutual TLS with it. Against a real
// registry this is discovery/consul, or DNS.
func (f *fleet) discovery() (discovery.Source, error) {
	services := map[string][]discovery.Endpoint{}
	for _, s := range f.servers {
		services[s.service] = append(services[s.service], discovery.Endpoint{
			Address:  s.address(),
			Labels:   map[string]string{"app": s.service, "version": s.version, admin.PortLabel: s.pages.port()},
			Identity: "spiffe://cluster.local/ns/default/sa/" + s.service,
		})
	}
	return discovery.NewStatic(services)
}

// versions is the version that runs at each address.
func (f *fleet) versions() map[string]string {
	at := map[string]string{}
	for _, s := range f.servers {
		at[s.address()] = s.version
	}
	return at
}

// pages is where productpage shows its mesh, and the graph of all.
func (f *fleet) pages() string { return f.servers[0].pages.url() }

func (f *fleet) url() string { return "http://" + f.servers[0].address() + "/productpage" }

// equip makes the server's mesh, the client that goes through it, and the port
// that takes whom the rules let in.
func (f *fleet) equip(ctx context.Context, s *server, o mesh.Observer) (err error) {
	if s.mesh, err = f.mesh(ctx, s.service, s.version, o); err != nil {
		return err
	}
	s.client = &http.Client{Transport: s.mesh.Transport(nil)}
	s.listener, err = s.mesh.Protect(s.listener)
	return err
}

// mesh is the mesh of a process that runs a version of a service.
func (f *fleet) mesh(ctx context.Context, service, version string, o mesh.Observer) (*mesh.Mesh, error) {
	return mesh.New(ctx, mesh.Config{
		Workload: mesh.Workload{
			Service: service,
			Labels:  map[string]string{"app": service, "version": version},
		},
		Rules:     rules.Dir(f.dir), // read again when a file changes
		Discovery: f.where,
		Identity:  f.ca.Workload(service),
		Observer:  o,
	})
}

// serve starts to answer. Handler lets in whom the policies let in, and takes over
// the deadline that a caller hands on.
func (f *fleet) serve(ill string, o observer) {
	for _, s := range f.servers {
		s.pages.serve(admin.New(s.mesh, admin.Config{}), func(err error) { o.screen.event("the pages of %s: %v", s.service, err) })
		h := s.handler(s.client)
		if s.service == "reviews" && s.version == ill {
			h, ill = sickness(h, s, o), ""
		}
		if s.service != "productpage" { // whose callers are people
			h = f.census.counting(h)
		}
		s.http = &http.Server{
			Handler:           s.mesh.Handler(h),
			Protocols:         bothProtocols(),
			ReadHeaderTimeout: 5 * time.Second,
			// Callers that begin at once open more connections than HTTP/2 needs,
			// and close the rest again: net/http would write a line for each.
			ErrorLog: log.New(io.Discard, "", 0),
		}
		s.done = make(chan struct{})
		go func() {
			defer close(s.done)
			if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
				o.screen.event("%s %s at %s has stopped: %v", s.service, s.version, s.address(), err)
			}
		}()
	}
}

// bothProtocols is HTTP/1.1 and HTTP/2, which callers agree on in their TLS
// handshake: the rule for reviews says h2UpgradePolicy UPGRADE. Without TLS they
// may speak it from the first byte.
func bothProtocols() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return &p
}

func (s *server) address() string { return s.listener.Addr().String() }

// close ends the servers, callers before those they call, then the meshes.
func (f *fleet) close() {
	for _, s := range f.servers {
		s.close()
	}
}

// close may be called on a server that has not come far.
func (s *server) close() {
	s.pages.close() // first: who listens to a mesh would outlive it
	if s.http == nil {
		_ = s.listener.Close()
	} else {
		_ = s.http.Close() // and the listener with it
		<-s.done
	}
	if s.mesh != nil {
		_ = s.mesh.Close()
	}
}
