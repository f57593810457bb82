package fleet

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A Config says by which rules a fleet runs, and who is told what it does.
type Config struct {
	// Rules is the directory of the rule files, read again when one changes. It
	// must be there.
	Rules string
	// Ill is the version of reviews of which one server answers 500s for a while.
	// Zero: all are well.
	Ill string
	// Observer is asked for what the mesh of each process tells; versions is what
	// runs at each address. Nil: nothing.
	Observer func(service string, versions map[string]string) mesh.Observer
	// Telemetry is asked for where the metrics and traces of each process go: once
	// for each server, one after the other. Nil: to OpenTelemetry's global providers.
	Telemetry func(service, version string) telemetry.Config
	// Event is told, in words, what else happens, on any goroutine. Nil: nobody is.
	Event func(format string, args ...any)
}

func (c Config) withDefaults() Config {
	if c.Observer == nil {
		c.Observer = func(string, map[string]string) mesh.Observer { return mesh.Observer{} }
	}
	if c.Telemetry == nil {
		c.Telemetry = func(string, string) telemetry.Config { return telemetry.Config{} }
	}
	if c.Event == nil {
		c.Event = func(string, ...any) {}
	}
	return c
}

// A Fleet is all servers, and the authority that vouches for them. In real life
// each process would have its credential from files, or from the SPIFFE agent of
// its machine; here one process may as well be its own authority. It is safe for
// concurrent use.
type Fleet struct {
	config  Config
	servers []*server
	ca      *tlsid.CA
	where   discovery.Source
	census  census
}

// Start starts all servers, or none; the error says which could not, and why. ctx
// bounds the start alone: Close ends the fleet.
func Start(ctx context.Context, c Config) (*Fleet, error) {
	f := &Fleet{config: c.withDefaults()}
	if err := f.start(ctx); err != nil {
		f.Close()
		return nil, err
	}
	f.serve()
	return f, nil
}

// start takes the ports, then makes the meshes, which need all addresses.
func (f *Fleet) start(ctx context.Context) (err error) {
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
		if err := f.equip(ctx, s); err != nil {
			return fmt.Errorf("%s %s: %w", s.Service, s.Version, err)
		}
	}
	return nil
}

// listen takes a loopback port for every server.
func (f *Fleet) listen() error {
	for _, d := range Deployments() {
		for range d.servers {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			s := &server{Deployment: d, listener: l}
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
func (f *Fleet) discovery() (discovery.Source, error) {
	services := map[string][]discovery.Endpoint{}
	for _, s := range f.servers {
		services[s.Service] = append(services[s.Service], discovery.Endpoint{
			Address:  s.address(),
			Labels:   map[string]string{"app": s.Service, "version": s.Version, admin.PortLabel: s.pages.port()},
			Identity: "spiffe://cluster.local/ns/default/sa/" + s.Service,
		})
	}
	return discovery.NewStatic(services)
}

// versions is the version that runs at each address.
func (f *Fleet) versions() map[string]string {
	at := map[string]string{}
	for _, s := range f.servers {
		at[s.address()] = s.Version
	}
	return at
}

// equip makes the server's mesh, the client that goes through it, and the port
// that takes whom the rules let in.
func (f *Fleet) equip(ctx context.Context, s *server) (err error) {
	c := f.process(s.Service, s.Version)
	c.Observer = f.config.Observer(s.Service, f.versions())
	c.Telemetry = f.config.Telemetry(s.Service, s.Version)
	if s.mesh, err = mesh.New(ctx, c); err != nil {
		return err
	}
	s.client = &http.Client{Transport: s.mesh.Transport(nil)}
	s.listener, err = s.mesh.Protect(s.listener)
	return err
}

// process is what the mesh of a process is made of that runs a version of a service.
func (f *Fleet) process(service, version string) mesh.Config {
	return mesh.Config{
		Workload: mesh.Workload{
			Service: service,
			Labels:  map[string]string{"app": service, "version": version},
		},
		Rules:     rules.Dir(f.config.Rules), // read again when a file changes
		Discovery: f.where,
		Identity:  f.ca.Workload(service),
	}
}

// serve starts to answer.
func (f *Fleet) serve() {
	ill := f.config.Ill
	for _, s := range f.servers {
		h := s.handler(s.client)
		if s.Service == "reviews" && s.Version == ill {
			h, ill = sickness(h, s, f.config.Event), ""
		}
		if s.Service != "productpage" { // whose callers are people
			h = f.census.counting(h)
		}
		s.serve(h, f.config.Event)
	}
}

// Page is the URL of the page, for its readers.
func (f *Fleet) Page() string { return "http://" + f.servers[0].address() + "/productpage" }

// Admin is the URL at which productpage shows its mesh, and the graph of all.
func (f *Fleet) Admin() string { return f.servers[0].pages.url() }

// Close ends the servers, callers before those they call, and the mesh of each. It
// may be called again.
func (f *Fleet) Close() {
	for _, s := range f.servers {
		s.close()
	}
}
