package mesh_test

import (
	"context"
	"io"
	"net"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

const harbour = "10.7.0.1:6379"

// A port is a server of raw connections with a mesh of its own, the workload cache,
// called by productpage; each has an audience.
type port struct {
	*scene
	mesh         *mesh.Mesh
	rules        *rules.Memory
	inner        *listener
	lis          net.Listener
	caller, host *audience
	observed     *observations
}

// moor plays a scenario at a port that obeys documents; each connection is served by
// serve, and is at sea when that returns.
func moor(t *testing.T, documents []string, serve func(net.Conn), run func(*port)) {
	t.Helper()
	moorWith(t, documents, func(*port, *mesh.Config) {}, serve, run)
}

func moorWith(t *testing.T, documents []string, change func(*port, *mesh.Config), serve func(net.Conn), run func(*port)) {
	t.Helper()
	p := &port{caller: newAudience(sdktrace.NeverSample()), host: newAudience(sdktrace.NeverSample()), observed: new(observations)}
	playWith(t, nil, func(s *scene, c *mesh.Config) {
		c.Telemetry = p.caller.config()
		c.Workload = mesh.Workload{Service: "productpage", Labels: map[string]string{"app": "productpage", "version": "v1"}}
		c.Identity = s.fleet.Identity("productpage")
	}, func(s *scene) {
		p.scene, p.rules = s, rules.Static(documents...)
		c := mesh.Config{
			Workload: mesh.Workload{Service: "cache", Labels: map[string]string{"app": "cache", "version": "v2"}},
			Rules:    p.rules, Telemetry: p.host.config(), Identity: s.fleet.Identity("cache"), Observer: p.observed.observer(),
		}
		change(p, &c)
		p.mesh = s.fleet.Mesh(c)
		p.open(serve)
		run(p)
		_ = p.lis.Close()
	})
}

func (p *port) open(serve func(net.Conn)) {
	p.Helper()
	p.inner = &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
	lis, err := p.mesh.ProtectTCP(&berth{p.inner})
	if err != nil {
		p.Fatal(err)
	}
	p.lis = lis
	p.cables.serve(harbour, func(c net.Conn) { p.inner.take(&moored{c}) })
	p.known("cache", discovery.Endpoint{Address: harbour, Identity: accountOf("cache"), Labels: map[string]string{"app": "cache", "version": "v2"}})
	go func() {
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
}

// berth and moored have addresses, as sockets have.
type berth struct{ *listener }

func (berth) Addr() net.Addr { return net.TCPAddrFromAddrPort(addrOf(harbour)) }

type moored struct{ net.Conn }

func (moored) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(addrOf(harbour)) }
func (moored) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(addrOf("10.6.0.1:5555")) }

// plain connects in the clear, past the caller's mesh.
func (p *port) plain() net.Conn {
	p.Helper()
	c, err := p.cables.dialContext(p.Context(), "tcp", harbour)
	if err != nil {
		p.Fatal(err)
	}
	return c
}

// as connects by mutual TLS as another account.
func (p *port) as(account string) net.Conn {
	p.Helper()
	id, err := tlsid.ParseID(accountOf(account))
	if err != nil {
		p.Fatal(err)
	}
	credential, err := p.fleet.CA().Issue(id)
	if err != nil {
		p.Fatal(err)
	}
	own := new(tlsid.Current)
	own.Store(credential)
	return tlsClient(p.plain(), own)
}

// lets reports whether the port lets a connection in: it is spoken to.
func lets(c net.Conn) bool {
	defer func() { _ = c.Close() }()
	return ask(c, "x") == nil
}

// repeats is an echo that says nothing by itself.
func repeats(c net.Conn) {
	defer func() { _ = c.Close() }()
	_, _ = io.Copy(c, c)
}

// greets speaks first: it says who calls.
func greets(c net.Conn) {
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "220 "+mesh.PeerOf(c).ID.String()+"\n"); err == nil {
		_, _ = io.Copy(io.Discard, c)
	}
}

// observations are what an observer hears of a port.
type observations struct {
	journal
	access      []mesh.AccessInfo
	connections []mesh.ConnectionInfo
}

func (o *observations) observer() mesh.Observer {
	return mesh.Observer{
		Access:     func(i mesh.AccessInfo) { note(&o.journal, &o.access, i) },
		Connection: func(i mesh.ConnectionInfo) { note(&o.journal, &o.connections, i) },
	}
}

// call dials the port through the caller's mesh.
func (p *port) call() net.Conn {
	p.Helper()
	c, err := p.scene.mesh.DialContext(context.Background(), "tcp", "cache:6379")
	if err != nil {
		p.Fatal(err)
	}
	return c
}
