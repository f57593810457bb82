package tlsid

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
)

// Expect says whom a client wants to reach, and how. The zero Expect is anybody
// of a trusted trust domain over TLS 1.3.
type Expect struct {
	// IDs are the identities that the server may have, any of them.
	// None: any identity of a trusted trust domain.
	IDs []ID

	// ServerName is sent to the server (SNI); it is not verified, identities are.
	// "": none is sent.
	ServerName string

	// Aliases are other names of the own trust domain, as Istio's
	// trustDomainAliases: a peer of such a domain is verified against the own
	// roots, unless Bundles has roots of that domain, and IDs that differ only in
	// which of these names they have are the same. PeerOf tells the ID as it was
	// presented. None: the trust domain has one name.
	Aliases []TrustDomain

	// NextProtos are the application protocols to offer (ALPN), the most
	// preferred first, such as "h2", "http/1.1". None: ALPN is not used.
	NextProtos []string

	// MinVersion is the lowest version of TLS. 0: TLS 1.3. Versions below
	// TLS 1.2 mean TLS 1.2.
	MinVersion uint16

	// Sessions keeps TLS sessions for resumption. Sessions of one root set, or of
	// one own identity, are not resumed under another. nil: every handshake is a
	// full one.
	Sessions tls.ClientSessionCache
}

// Accept says whom a server lets in, and how. The zero Accept is anybody of a
// trusted trust domain over TLS 1.3. Every client must present a certificate.
type Accept struct {
	// IDs are the identities that a client may have, any of them.
	// None: any identity of a trusted trust domain.
	IDs []ID

	// Aliases are other names of the own trust domain, see Expect.
	Aliases []TrustDomain

	// NextProtos are the application protocols that are spoken (ALPN), the most
	// preferred first. None: ALPN is not used. They must stand here: what is set
	// on the configuration afterwards, by http.Server for example, has no effect.
	NextProtos []string

	// MinVersion is the lowest version of TLS. 0: TLS 1.3. Versions below
	// TLS 1.2 mean TLS 1.2.
	MinVersion uint16
}

// ClientConfig returns the configuration of a client that proves who it is and
// verifies the server, by the credential that is in force at each handshake. The
// caller may change it before its first use and not after.
//
// Its VerifyConnection may be called again, with the state of an open
// connection, to learn whether the peer would still be trusted now.
func ClientConfig(own *Current, expect Expect) *tls.Config {
	v := &verifier{own, slices.Clone(expect.IDs), slices.Clone(expect.Aliases), x509.ExtKeyUsageServerAuth}
	return &tls.Config{
		// crypto/tls verifies host names, which SPIFFE does not have: all
		// verification is verify's.
		InsecureSkipVerify:   true,
		VerifyConnection:     v.verify,
		GetClientCertificate: own.clientCertificate,
		ServerName:           expect.ServerName,
		NextProtos:           slices.Clone(expect.NextProtos),
		MinVersion:           minVersion(expect.MinVersion),
		ClientSessionCache:   sessionsOf(own, expect.Sessions),
		Time:                 ahead,
	}
}

// ServerConfig returns the configuration of a server that proves who it is and
// requires and verifies a certificate of each client, by the credential that is
// in force at each handshake. While there is none, handshakes fail with
// ErrNoCredential. Each root set has session ticket keys of its own, so that no
// session outlives the roots that it was made under.
//
// Its VerifyConnection may be called again, with the state of an open
// connection, to learn whether the peer would still be trusted now.
func ServerConfig(own *Current, accept Accept) *tls.Config {
	v := &verifier{own, slices.Clone(accept.IDs), slices.Clone(accept.Aliases), x509.ExtKeyUsageClientAuth}
	perRoots := &perRoots{own: own, build: func() *tls.Config { return serverConfig(v, accept) }}
	config := serverConfig(v, accept)
	config.GetConfigForClient = perRoots.config
	return config
}

func serverConfig(v *verifier, accept Accept) *tls.Config {
	return &tls.Config{
		// The certificate is required here, and verified in verify.
		ClientAuth:       tls.RequireAnyClientCert,
		VerifyConnection: v.verify,
		GetCertificate:   v.own.serverCertificate,
		NextProtos:       slices.Clone(accept.NextProtos),
		MinVersion:       minVersion(accept.MinVersion),
		Time:             ahead,
	}
}

func minVersion(v uint16) uint16 {
	if v == 0 {
		return tls.VersionTLS13
	}
	return max(v, tls.VersionTLS12)
}

func (c *Current) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return c.certificate()
}

func (c *Current) serverCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.certificate()
}

func (c *Current) certificate() (*tls.Certificate, error) {
	own, ok := c.Load()
	if !ok {
		return nil, ErrNoCredential
	}
	return own.Certificate(), nil
}
