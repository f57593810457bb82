package mesh

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"runtime/debug"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/doorway"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/sniff"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/tlsid"
)

// serverFirst is how long a PERMISSIVE port waits for TLS to begin.
const serverFirst = time.Second

// ListenTCP is Listen for what is neither HTTP nor gRPC, of which no Handler sees the
// requests: connections are held to the PeerAuthentications of the port, and then,
// once, to the AuthorizationPolicies and Config.Access, by what they show themselves:
// who the peer is, both addresses, the port, the server name. Who is denied is
// closed, and Accept does not see him. As in Istio, an ALLOW rule that looks at
// requests (hosts, methods, paths, headers, tokens) allows no connection, and of any
// other rule that part is left out: a DENY rule that is about nothing else denies all.
//
// PeerOf tells who is at the other end of a connection; it has been decrypted.
// Connections are counted, for Config.Telemetry.
//
// A handshake that takes longer than 10 s is given up. A PERMISSIVE port cannot know
// whether a silent client is about to begin TLS, or waits for the server to speak
// first, as those of MySQL and SMTP do: after a second it is taken for plaintext.
// Peers of the mesh speak at once; to spare others the second, let a
// PeerAuthentication say DISABLE or STRICT for the port; as well where clients speak
// TLS to the server itself, for a PERMISSIVE port takes all TLS for the mesh's. Without
// Config.Identity such a port is as if it said DISABLE.
//
// The listener must be closed.
func (m *Mesh) ListenTCP(network, address string) (net.Listener, error) {
	lis, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return m.ProtectTCP(lis)
}

// ProtectTCP is ListenTCP for a listener that exists; it closes lis with its own
// Close, or when it fails.
func (m *Mesh) ProtectTCP(lis net.Listener) (net.Listener, error) {
	port := addrPort(lis.Addr().String()).Port()
	told, err := sniff.Listen(lis, sniff.Config{
		TLS:         m.connectionTLS(),
		Mode:        func() sniff.Mode { return m.rawMode(port) },
		Timeout:     serverFirst,
		ServerFirst: true,
	})
	if err != nil {
		_ = lis.Close()
		return nil, err
	}
	return doorway.Listen(told, doorway.Config{Admit: m.usher}), nil
}

// rawMode: a workload without an identity has no TLS to offer, and nobody need wait
// for it to begin.
func (m *Mesh) rawMode(port uint16) sniff.Mode {
	mode := modes[m.guard.Mode(port)]
	if mode == sniff.Permissive && m.config.Identity == nil {
		return sniff.Disable
	}
	return mode
}

// connectionTLS is ServerTLS for who says nothing of protocols.
func (m *Mesh) connectionTLS() *tls.Config {
	return tlsid.ServerConfig(&m.identity.current, tlsid.Accept{Aliases: m.config.aliases(), MinVersion: m.config.MinTLSVersion})
}

// usher is welcome where Authorizers and observers may panic: that ends the
// connection and no other, as in net/http.
func (m *Mesh) usher(ctx context.Context, conn net.Conn) (_ net.Conn, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
			hangUp(conn)
			m.config.Logger.Error("connection", "source", conn.RemoteAddr().String(), "err", err, "stack", string(debug.Stack()))
		}
	}()
	return m.welcome(ctx, conn)
}

// welcome carries a connection to the door.
func (m *Mesh) welcome(ctx context.Context, conn net.Conn) (net.Conn, error) {
	c := m.incoming(conn)
	if err := c.shake(ctx, conn); err != nil { // before anything is known of the peer: of no account to anybody
		_ = conn.Close()
		m.config.Logger.Debug("handshake", "source", c.info.Source, "port", c.info.Address, "err", err)
		return nil, err
	}
	v := c.visit(conn)
	c.denied = m.guard.AdmitConnection(ctx, v)
	m.tellVisit(v, "", c.denied)
	c.caller, c.info.Peer = Caller{ID: v.Peer, Address: c.info.Source}, v.Peer.String()
	c.report = m.reporter.Incoming(v.Peer, c.info.Start)
	if c.denied != nil {
		c.refuse(ctx, c.denied)
		hangUp(conn)
		return nil, c.denied
	}
	return c.stand(conn, 0, 0), nil
}

// incoming is a connection of which nothing is known yet but where it comes from.
func (m *Mesh) incoming(conn net.Conn) *connection {
	return &connection{mesh: m, side: telemetry.Destination, info: ConnectionInfo{
		Direction: inboundName, Address: conn.LocalAddr().String(), Source: conn.RemoteAddr().String(), Start: m.clock.now(),
	}}
}

// shake has TLS agree on who is who.
func (c *connection) shake(ctx context.Context, conn net.Conn) error {
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	state := secure.ConnectionState()
	c.tls = &state
	return nil
}

// visit is what the guard sees.
func (c *connection) visit(conn net.Conn) *guard.Visit {
	v := &guard.Visit{TLS: c.tls}
	v.Source = addrPort(conn.RemoteAddr().String()).Addr()
	to := addrPort(c.info.Address)
	v.Destination, v.Port = to.Addr(), to.Port()
	return v
}

// hangUp closes a connection without a farewell, which may take its time.
func hangUp(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	_ = conn.Close()
}

// PeerOf returns who is at the other end of a connection that ListenTCP has accepted,
// also through wrappers that have a method NetConn. Of any other it is the zero Caller.
func PeerOf(c net.Conn) Caller {
	for c != nil {
		switch own := c.(type) {
		case interface{ Owner() any }:
			if of, ok := own.Owner().(*connection); ok {
				return of.caller
			}
			return Caller{}
		case interface{ NetConn() net.Conn }:
			c = own.NetConn()
		default:
			return Caller{}
		}
	}
	return Caller{}
}

// WithPeer has Peer know, by the context, who has made a connection that ListenTCP has
// accepted; connections and requests made on its behalf are hashed by its address.
func WithPeer(ctx context.Context, c net.Conn) context.Context {
	caller := PeerOf(c)
	return context.WithValue(ctx, inboundKey{}, &caller)
}
