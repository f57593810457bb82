package report

import (
	"context"
	"sync"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A Connection is what is told of a raw connection. Nil tells nothing. It is safe
// for concurrent use.
type Connection struct {
	telemetry *telemetry.Telemetry
	edge      *telemetry.Edge
	start     time.Time

	mu             sync.Mutex // orders what is told of the bytes
	sent, received int64      // that have been told
	flags          telemetry.Flags
}

// Outgoing is the report of a call that is a connection, when it has been made, or
// refused.
func (r *Reporter) Outgoing(c *engine.Call, secure bool) *Connection {
	if r == nil {
		return nil
	}
	return r.connection(r.to(c, telemetry.TCP, secure), c.Start)
}

// Passing is the report of a connection to what is not the mesh's.
func (r *Reporter) Passing(host string, start time.Time) *Connection {
	if r == nil {
		return nil
	}
	service := telemetry.Service{Host: host, Name: telemetry.Passthrough}
	return r.connection(r.telemetry.Edge(telemetry.Link{Protocol: telemetry.TCP, Service: service}), start)
}

// Incoming is the report of a connection that was accepted.
func (r *Reporter) Incoming(peer tlsid.ID, start time.Time) *Connection {
	if r == nil {
		return nil
	}
	return r.connection(r.from(&Served{Protocol: telemetry.TCP, Peer: peer}), start)
}

func (r *Reporter) connection(e *telemetry.Edge, start time.Time) *Connection {
	return &Connection{telemetry: r.telemetry, edge: e, start: start}
}

// Open tells that the connection stands.
func (k *Connection) Open() {
	if k != nil {
		k.edge.Opened(0)
	}
}

// Transferred tells what has passed since the last time, of so many bytes in all:
// sent are those of answers, received those of requests.
func (k *Connection) Transferred(sent, received int64) {
	if k == nil {
		return
	}
	k.mu.Lock()
	more, also, flags := sent-k.sent, received-k.received, k.flags
	k.sent, k.received = max(k.sent, sent), max(k.received, received)
	k.mu.Unlock()
	if more > 0 || also > 0 {
		k.edge.Transferred(max(more, 0), max(also, 0), flags)
	}
}

// Detailed reports whether somebody reads the details of connections.
func (k *Connection) Detailed() bool {
	return k != nil && k.telemetry.Wants(k.edge.Link().Reporter)
}

// End tells the end of a connection that was open, on which so many bytes have passed.
func (k *Connection) End(ctx context.Context, flags telemetry.Flags, sent, received int64, d *telemetry.Details) {
	if k == nil {
		return
	}
	k.mark(flags)
	k.Transferred(sent, received)
	k.edge.Closed(flags)
	k.telemetry.Log(ctx, k.edge, &telemetry.Result{
		Start: k.start, Duration: time.Since(k.start), GRPC: -1, Flags: flags,
		RequestBytes: received, ResponseBytes: sent, Details: d,
	})
}

// Refuse tells of a connection that never stood: as Istio does, it is counted as one
// that was opened and closed.
func (k *Connection) Refuse(ctx context.Context, flags telemetry.Flags, d *telemetry.Details) {
	if k != nil {
		k.edge.Opened(flags)
		k.End(ctx, flags, 0, 0, d)
	}
}

func (k *Connection) mark(flags telemetry.Flags) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flags = flags
}
