package meshgrpc

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"google.golang.org/grpc/credentials"
)

// clientCredentials pass on connections that are secure already, or are not to
// be: the dialer has done what the rules say.
type clientCredentials struct{}

// ClientHandshake implements credentials.TransportCredentials.
func (clientCredentials) ClientHandshake(ctx context.Context, _ string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	w := wayOf(ctx)
	if w == nil {
		return nil, nil, errors.New("meshgrpc: the load-balancing policy has been replaced")
	}
	if secure, ok := c.(*tls.Conn); ok {
		return w.watched(c), secured{tlsInfo(secure.ConnectionState())}, nil
	}
	return w.watched(c), inClear{credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}}, nil
}

// secured is what is known of a connection by TLS. Whom the server has proven to
// be has nothing to do with the authority that a rule may write.
type secured struct{ credentials.TLSInfo }

// ValidateAuthority implements credentials.AuthorityValidator.
func (secured) ValidateAuthority(string) error { return nil }

type inClear struct{ credentials.CommonAuthInfo }

// AuthType implements credentials.AuthInfo.
func (inClear) AuthType() string { return "insecure" }

// ValidateAuthority implements credentials.AuthorityValidator.
func (inClear) ValidateAuthority(string) error { return nil }

// bringsTLS reports whether transport credentials are a caller's own, by which
// connections are encrypted.
func bringsTLS(c credentials.TransportCredentials) bool {
	if c == nil {
		return false
	}
	_, ours := c.(clientCredentials)
	return !ours && c.Info().SecurityProtocol != "insecure"
}

func tlsInfo(state tls.ConnectionState) credentials.TLSInfo {
	return credentials.TLSInfo{State: state, CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}
}

// ServerHandshake implements credentials.TransportCredentials.
func (clientCredentials) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("meshgrpc: these are credentials for callers: servers take ServerOptions")
}

// Info implements credentials.TransportCredentials. There is no security protocol
// that all connections have.
func (clientCredentials) Info() credentials.ProtocolInfo { return credentials.ProtocolInfo{} }

// Clone implements credentials.TransportCredentials.
func (c clientCredentials) Clone() credentials.TransportCredentials { return c }

// OverrideServerName implements credentials.TransportCredentials: whom a server
// must prove to be, the rules say.
func (clientCredentials) OverrideServerName(string) error { return nil }
