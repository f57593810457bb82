package mesh

import (
	"crypto/tls"
	"net"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/sniff"
	"github.com/inmesh-go/inmesh/tlsid"
)

// Listen announces on an address as net.Listen does, and lets callers connect as
// the PeerAuthentications say of its port, at every moment: with mutual TLS only
// (STRICT), in plaintext only (DISABLE), or with either (PERMISSIVE, which is the
// default), told apart by the first byte.
//
// Serve it with http.Serve and Handler; HTTP/2 is agreed on by ALPN, so that the server
// must speak it: one whose HTTP/2 is turned off (http.Server.Protocols) hangs up on
// those who prefer it. Without an identity there is no mutual TLS: its handshakes fail.
func (m *Mesh) Listen(network, address string) (net.Listener, error) {
	lis, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return m.Protect(lis)
}

// Protect is Listen for a listener that exists; it closes lis with its own Close,
// or when it fails.
func (m *Mesh) Protect(lis net.Listener) (net.Listener, error) {
	port := addrPort(lis.Addr().String()).Port()
	protected, err := sniff.Listen(lis, sniff.Config{
		TLS:  m.ServerTLS(),
		Mode: func() sniff.Mode { return modes[m.guard.Mode(port)] },
	})
	if err != nil {
		_ = lis.Close()
		return nil, err
	}
	return protected, nil
}

var modes = [...]sniff.Mode{authz.Permissive: sniff.Permissive, authz.Strict: sniff.Strict, authz.Disable: sniff.Disable}

// ServerTLS is the configuration of a server that proves the mesh's identity and
// takes mutual TLS only, for whoever listens by other means than Listen. It
// follows the credential; it offers HTTP/2 and HTTP/1.1.
func (m *Mesh) ServerTLS() *tls.Config {
	return tlsid.ServerConfig(&m.identity.current, tlsid.Accept{
		Aliases:    m.config.aliases(),
		NextProtos: []string{"h2", "http/1.1"},
		MinVersion: m.config.MinTLSVersion,
	})
}
