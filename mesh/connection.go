package mesh

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/counted"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/flight"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// A connection is a raw one, of either direction, from when it stands, or is refused.
type connection struct {
	*counted.Conn
	mesh   *Mesh
	side   telemetry.Reporter
	info   ConnectionInfo // but for what its end brings
	call   *engine.Call   // nil: it is inbound, or not the mesh's
	flags  engine.Flag    // of what is not the mesh's
	caller Caller         // of an inbound one
	denied *guard.Refusal
	tls    *tls.ConnectionState // of an inbound one; nil: in the clear
	report *report.Connection
	flight flight.Entry[connection]
}

// outgoing is a connection that a call has led to, or has not.
func (m *Mesh) outgoing(to string, call *engine.Call) *connection {
	c := &connection{mesh: m, call: call, info: ConnectionInfo{Direction: outboundName, Address: to, Start: call.Start}}
	c.info.describe(call)
	return c
}

func (i *ConnectionInfo) describe(c *engine.Call) {
	i.Service = c.Target.Name
	if c.Route != nil {
		i.Route, i.Rule = c.Route.Name, nameOf(c.Route.Rule)
	}
	if c.Cluster != nil {
		i.Destination, i.Subset = c.Cluster.Key.Host, c.Cluster.Key.Subset
	}
	if c.Host != nil {
		i.Endpoint = c.Host.Address()
	}
}

// stand begins the life of a connection.
func (c *connection) stand(inner net.Conn, idle, age time.Duration) net.Conn {
	c.Conn = counted.New(inner, counted.Config{
		Idle: idle, Age: age, Unwatched: c.report == nil,
		Closed: c.over, Late: c.tell, Owner: c,
	})
	c.report.Open()
	c.mesh.connections.enter(c)
	return c.Start()
}

// passed is how many bytes of answers and of requests have passed.
func (c *connection) passed() (sent, received int64) {
	if c.Conn == nil {
		return 0, 0
	}
	read, written := c.Traffic()
	if c.side == telemetry.Destination {
		return written, read
	}
	return read, written
}

// tell tells what has passed since the last time.
func (c *connection) tell() { c.report.Transferred(c.passed()) }

// over ends the life of a connection that has been closed.
func (c *connection) over() {
	c.mesh.connections.leave(c)
	if c.call != nil {
		c.call.Disconnect()
	}
	sent, received := c.passed()
	c.report.End(context.Background(), c.flagged(), sent, received, c.details())
	c.observed(c.Ended())
}

// refuse tells of a connection that never stood, for there was err.
func (c *connection) refuse(ctx context.Context, err error) {
	c.report.Refuse(ctx, c.flagged(), c.details())
	c.observed(err)
}

func (c *connection) flagged() (flags telemetry.Flags) {
	if c.call != nil {
		flags = report.Flags(c.call.Flags)
	}
	flags |= report.Flags(c.flags) | report.Refused(c.denied)
	if c.Conn != nil && c.Aged() {
		flags |= telemetry.DurationTimeout
	}
	return flags
}

// details are what the access log says of it; nil: nobody asks.
func (c *connection) details() *telemetry.Details {
	if !c.report.Detailed() {
		return nil
	}
	d := &telemetry.Details{Termination: c.termination(), Route: c.info.Route}
	switch {
	case c.side == telemetry.Destination:
		c.describeInbound(d)
	case c.call != nil:
		report.DescribeTCP(c.call, d)
	default:
		d.Cluster, d.UpstreamAddress = telemetry.Passthrough, c.info.Address
	}
	if c.side == telemetry.Source && c.Conn != nil {
		d.UpstreamLocalAddress = c.LocalAddr().String()
	}
	return d
}

func (c *connection) describeInbound(d *telemetry.Details) {
	d.Cluster = "inbound|" + portText(addrPort(c.info.Address).Port()) + "||"
	d.SourceAddress, d.DestinationAddress = c.info.Source, c.info.Address
	if c.tls != nil {
		d.ServerName, d.TLSVersion = c.tls.ServerName, tlsVersion(c.tls.Version)
	}
}

// termination is Envoy's word for why a connection was closed, of those that Envoy
// has one for.
func (c *connection) termination() string {
	switch {
	case c.denied != nil:
		return c.denied.Details
	case c.Conn == nil || c.Ended() == nil:
		return ""
	case c.Aged():
		return "max_connection_duration_reached"
	}
	return "tcp_session_idle_timeout"
}

// observed tells the observer of the end.
func (c *connection) observed(err error) {
	hook := c.mesh.config.Observer.Connection
	if hook == nil {
		return
	}
	info := c.info
	info.Err, info.Flags, info.Duration = err, c.flagged().String(), time.Since(info.Start)
	info.BytesSent, info.BytesReceived = c.passed()
	hook(info)
}

// underway is the connection among what is under way.
func (c *connection) underway() Underway {
	i := &c.info
	u := Underway{
		Direction: i.Direction, Protocol: telemetry.TCP.String(), Start: i.Start, Host: i.Address,
		Service: i.Service, Route: i.Route, Endpoint: i.Endpoint, Peer: i.Peer, Source: i.Source,
	}
	if i.Endpoint != "" {
		u.Attempts = 1
	}
	u.BytesSent, u.BytesReceived = c.passed()
	return u
}
