package clienttls

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// A FilesConfig says who proves what by which files.
type FilesConfig struct {
	CA          string   // roots, PEM; "": the system's
	CRL         string   // revocation lists, PEM; "": nothing is revoked
	Certificate string   // of the client, PEM, its leaf first; "": none is shown
	Key         string   // of Certificate, PEM
	SNI         string   // what the server is told; "": the name that is asked for
	SANs        []string // of which the server must have one; none: its name is verified
	Insecure    bool     // the server is not verified

	// Report is told, once, when files cannot be used any more and what they said
	// before stands. nil: nobody is.
	Report func(error)
}

// Files make configurations of modes SIMPLE and MUTUAL.
type Files struct {
	config FilesConfig
	roots  *cached[*x509.CertPool]
	lists  *cached[revocations]
	pair   *cached[*tls.Certificate]
}

// NewFiles reads nothing yet.
func NewFiles(c FilesConfig) *Files {
	if c.Report == nil {
		c.Report = func(error) {}
	}
	f := &Files{config: c}
	if c.CA != "" {
		f.roots = newCached(parseRoots, c.Report, c.CA)
	}
	if c.CRL != "" {
		f.lists = newCached(parseRevocations, c.Report, c.CRL)
	}
	if c.Certificate != "" {
		f.pair = newCached(parsePair, c.Report, c.Certificate, c.Key)
	}
	return f
}

// Config returns the configuration of one connection to a server that was asked
// for by name; protocols are offered (ALPN). The caller may change it.
func (f *Files) Config(name string, protocols ...string) (*tls.Config, error) {
	v, err := f.verifier(name)
	if err != nil {
		return nil, err
	}
	pair, err := f.pair.get()
	if err != nil {
		return nil, fmt.Errorf("client certificate: %w", err)
	}
	c := &tls.Config{
		InsecureSkipVerify: true, // verify verifies
		VerifyConnection:   v.verify,
		ServerName:         f.config.SNI,
		NextProtos:         protocols,
		MinVersion:         tls.VersionTLS12,
	}
	if c.ServerName == "" {
		c.ServerName = name
	}
	if f.config.Insecure {
		c.VerifyConnection = nil
	}
	if pair != nil { // whatever authorities the server names: it is the one that the rule wants
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	}
	return c, nil
}

func (f *Files) verifier(name string) (*verifier, error) {
	v := &verifier{name: name, sans: f.config.SANs, checkLists: f.lists != nil}
	if f.config.SNI != "" {
		v.name = f.config.SNI
	}
	var err error
	if v.roots, err = f.roots.get(); err != nil {
		return nil, fmt.Errorf("CA certificates: %w", err)
	}
	if v.lists, err = f.lists.get(); err != nil {
		return nil, fmt.Errorf("revocation lists: %w", err)
	}
	return v, nil
}
