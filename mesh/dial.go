package mesh

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/retry"
)

// DialContext connects to host:port through the mesh, for what is neither HTTP nor
// gRPC: it is the hook that drivers of databases, clients of caches and net.Dialer's
// users take. Each connection is one journey: the TCP routes of the VirtualServices
// choose its destination, or else it goes to the host itself; limits, the balancer,
// outlier detection (connect failures), connectTimeout, and TLS as it is due to the
// endpoint apply as to requests, and so do tcpKeepalive, idleTimeout (an hour, unless
// a rule says otherwise) and maxConnectionDuration while it stands. It is tried once.
//
// Network is tcp, tcp4 or tcp6; what goes over any other is not the mesh's, and
// dialled as it is. So is a host that no rule and no source knows, unless
// Config.OutboundPolicy refuses it. An address in the place of a host is that of the
// ServiceEntry that lists it; where that has no endpoints (resolution NONE) and lists
// several, outlier detection ejects none of them.
//
// What the mesh refuses, and an endpoint that cannot be connected to, is an *Error.
// A connection that a rule has ended returns errors that are net.ErrClosed. ctx bounds
// the dialling, not the connection. Close it: it takes a place among its destination's
// connections.
//
// In the place of http.Transport.DialContext it gives connections, of which HTTP's
// rules know nothing: for HTTP, take Transport.
func (m *Mesh) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	to, ok := m.parse(ctx, network, address)
	if !ok {
		return m.config.DialContext(ctx, network, address) // whose error it is, if it is one
	}
	d := &dialling{mesh: m, to: to}
	c := &d.call
	c.Start = m.clock.now()
	c.Deadline, _ = ctx.Deadline()
	c.Request = plan.Request{Authority: to.authority(), Origin: plan.Remote(remoteOf(ctx))}
	ours, err := m.engine.RouteTCP(ctx, c, to.ip)
	switch {
	case err != nil:
		return nil, d.refused(ctx, err)
	case !ours:
		return d.past(ctx, address)
	}
	if err := m.engine.Connect(ctx, c, d.dial); err != nil {
		return nil, d.refused(ctx, err)
	}
	return d.stands(), nil
}

// A place is what is dialled.
type place struct {
	network, host string
	port          uint16
	ip            netip.AddrPort // zero: host is a name
}

func (p place) authority() string { return net.JoinHostPort(p.host, strconv.Itoa(int(p.port))) }

// parse reads an address as package net does; false: it is nothing for the mesh.
func (m *Mesh) parse(ctx context.Context, network, address string) (p place, ok bool) {
	host, service, err := net.SplitHostPort(address)
	if err != nil || host == "" || network != "tcp" && network != "tcp4" && network != "tcp6" {
		return p, false
	}
	names := net.Resolver{PreferGo: true} // a name of a port is in a file, which holds up no thread
	port, err := names.LookupPort(ctx, network, service)
	if err != nil || port == 0 {
		return p, false
	}
	p = place{network: network, host: host, port: uint16(port)}
	if ip, err := netip.ParseAddr(host); err == nil {
		p.ip = netip.AddrPortFrom(ip.Unmap().WithZone(""), p.port)
	}
	return p, true
}

// A dialling is one connection on its way.
type dialling struct {
	mesh *Mesh
	to   place
	call engine.Call
	line line
	conn net.Conn
}

// dial is stage 5.
func (d *dialling) dial(ctx context.Context) engine.Outcome {
	var err error
	w := d.mesh.ways.to(d.call.Cluster)
	d.line = w.line(&d.call, d.to)
	if d.conn, err = w.connect(ctx, d.to.network, d.line); err == nil {
		return engine.Outcome{Try: retry.Try{GRPCStatus: -1}}
	}
	if ctx.Err() != nil {
		return engine.Ended(ctx)
	}
	if o, over := engine.Overdue(ctx); over {
		return o
	}
	var connect *connectError
	switch {
	case errors.Is(err, breaker.ErrOverflow):
		return engine.Failed(retry.Overflow, err)
	case errors.As(err, &connect):
		err = connect.err
	}
	return engine.Failed(retry.ConnectFailure, err)
}

// refused tells of a connection that there is none of.
func (d *dialling) refused(ctx context.Context, err error) error {
	c, e := d.mesh.outgoing(d.to.authority(), &d.call), newError(&d.call, err)
	e.Rule = c.info.Rule // of TCP, which may be another than that of requests
	c.report = d.mesh.reporter.Outgoing(&d.call, false)
	c.refuse(ctx, e)
	return e
}

// stands begins the life of a connection that was made.
func (d *dialling) stands() net.Conn {
	policy := d.call.Cluster.Spec().Connection
	c := d.mesh.outgoing(d.to.authority(), &d.call)
	c.report = d.mesh.reporter.Outgoing(&d.call, d.line.security == byIdentity)
	d.call.Settle()
	return c.stand(d.conn, policy.TCPIdleTimeout, policy.MaxAge)
}

// past connects to what is not the mesh's, and has it counted.
func (d *dialling) past(ctx context.Context, address string) (net.Conn, error) {
	c := d.mesh.outgoing(d.to.authority(), &d.call)
	c.call, c.info.Service = nil, ""
	c.report = d.mesh.reporter.Passing(d.call.Target.Name, d.call.Start)
	conn, err := d.mesh.config.DialContext(ctx, d.to.network, address)
	if err != nil {
		c.flags = engine.ConnectFailure | engine.RetriesExhausted
		if ctx.Err() != nil {
			c.flags = engine.Ended(ctx).Flag
		}
		c.refuse(ctx, err)
		return nil, err
	}
	return c.stand(conn, 0, 0), nil
}

// A way is how raw connections are made to the hosts of a cluster, by one policy.
type way struct{ *road }

// ways are those of all clusters.
type ways struct {
	mesh *Mesh
	all  sync.Map // *engine.Cluster → *way
}

func (w *ways) to(cl *engine.Cluster) *way {
	spec := cl.Spec()
	if have, ok := w.all.Load(cl); ok && have.(*way).spec == spec {
		return have.(*way)
	}
	fresh := &way{w.mesh.roadTo(cl, spec)}
	w.all.Store(cl, fresh)
	if cl.Closed() { // nobody would say when it has had its day
		w.all.Delete(cl)
	}
	return fresh
}

// line decides how to connect to the host that was picked. Where there is no choice
// of hosts, an address that was dialled is the one to connect to.
func (w *way) line(c *engine.Call, to place) line {
	asked := engine.Asked{Name: to.host}
	if to.ip.IsValid() { // which is that of a name, as far as rules know
		asked.Name = c.Target.Name
	}
	l := w.wires.decide(c.Host, w.spec, asked)
	if w.spec.Passthrough && to.ip.IsValid() {
		l.address = to.authority() // with its zone
	}
	return l
}

func (w *way) connect(ctx context.Context, network string, l line) (net.Conn, error) {
	return w.dialer.secured(ctx, l, nil, func(ctx context.Context, l line) (net.Conn, error) {
		own, address := l.endpoint()
		if own == "tcp" {
			own = network
		}
		return w.dialer.socket(ctx, own, address)
	})
}
