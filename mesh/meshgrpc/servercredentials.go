package meshgrpc

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"

	"google.golang.org/grpc/credentials"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/clienttls"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/inside"
)

// serverCredentials let callers connect as the PeerAuthentications say of the
// port at that moment.
type serverCredentials struct {
	mesh   inside.Mesh
	config *tls.Config
}

// ServerHandshake implements credentials.TransportCredentials. What comes from
// Mesh.Listen is told already. gRPC bounds the time of all of it.
func (s serverCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	d := newDoor(raw.LocalAddr(), raw.RemoteAddr())
	c, err := s.tell(raw, d.to.Port())
	if err != nil {
		return nil, nil, err
	}
	secure, ok := c.(*tls.Conn)
	if !ok {
		return &entered{Conn: c, door: d}, inClear{credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}}, nil
	}
	if err := secure.Handshake(); err != nil {
		return nil, nil, err
	}
	state := secure.ConnectionState()
	if err := clienttls.CheckProtocol(state, "h2"); err != nil {
		return nil, nil, err
	}
	d.state = &state
	return &entered{Conn: c, door: d}, tlsInfo(state), nil
}

// tell finds out whether a connection is TLS, which is returned as a *tls.Conn,
// or plaintext.
func (s serverCredentials) tell(raw net.Conn, port uint16) (net.Conn, error) {
	if _, ok := raw.(*tls.Conn); ok {
		return raw, nil
	}
	switch s.mesh.Mode(port) {
	case authz.Disable:
		return raw, nil
	case authz.Strict:
		return tls.Server(raw, s.config), nil
	}
	c := &peeked{Conn: raw}
	if _, err := io.ReadFull(raw, c.first[:]); err != nil {
		return nil, err
	}
	if c.first[0] == recordHandshake {
		return tls.Server(c, s.config), nil
	}
	return c, nil
}

// recordHandshake begins every TLS connection (RFC 8446 §5.1), and no gRPC one.
const recordHandshake = 0x16

// ClientHandshake implements credentials.TransportCredentials.
func (serverCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("meshgrpc: these are credentials for servers: callers take DialOptions")
}

// Info implements credentials.TransportCredentials.
func (serverCredentials) Info() credentials.ProtocolInfo { return credentials.ProtocolInfo{} }

// Clone implements credentials.TransportCredentials.
func (s serverCredentials) Clone() credentials.TransportCredentials { return s }

// OverrideServerName implements credentials.TransportCredentials.
func (serverCredentials) OverrideServerName(string) error { return nil }

// A peeked connection gives back the byte by which it was told. One goroutine
// reads from it.
type peeked struct {
	net.Conn
	first [1]byte
	given bool
}

// Read implements net.Conn.
func (c *peeked) Read(p []byte) (int, error) {
	if c.given || len(p) == 0 {
		return c.Conn.Read(p)
	}
	c.given = true
	return copy(p, c.first[:]), nil
}

// A door is the local address of a connection that has come through
// serverCredentials: what each call on it finds out about the connection, once
// for all of them.
type door struct {
	net.Addr
	to     netip.AddrPort
	from   netip.Addr
	caller string               // host:port
	state  *tls.ConnectionState // nil: plaintext
	shut   atomic.Bool          // to calls that are yet to come: see entered
}

func newDoor(local, remote net.Addr) *door {
	d := &door{Addr: local, to: addrPort(local), from: addrPort(remote).Addr()}
	if remote != nil {
		d.caller = remote.String()
	}
	return d
}

// show fills in what is seen of the connection.
func (d *door) show(v *guard.Visit) {
	v.Source, v.Destination, v.Port = d.from, d.to.Addr(), d.to.Port()
	v.Scheme = "http"
	if d.state != nil {
		v.TLS, v.Scheme = d.state, "https"
	}
}
