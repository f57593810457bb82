package tlsid

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Why a handshake fails. But for ErrNoCredential, a *PeerError tells them.
var (
	// ErrNoCredential: this side has no credential yet, so nobody can be verified.
	ErrNoCredential = errors.New("this workload has no credential yet")
	// ErrNotSVID: the peer's certificate is not an X509-SVID.
	ErrNotSVID = errors.New("not an X509-SVID")
	// ErrUntrusted: the roots of the peer's trust domain do not vouch for it now.
	ErrUntrusted = errors.New("not trusted")
	// ErrUnexpected: the peer is someone, but not whom we expect.
	ErrUnexpected = errors.New("not the expected peer")
)

// A PeerError says why a peer was refused. It is ErrNotSVID, ErrUntrusted or
// ErrUnexpected, by errors.Is.
type PeerError struct {
	Peer   ID    // zero where the certificate names none
	Reason error // one of the three
	Cause  error // which rule is broken, or what crypto/x509 says
}

func (e *PeerError) Error() string {
	text := "peer " + e.Peer.String()
	if e.Peer.IsZero() {
		text = "peer without identity"
	}
	return text + ": " + e.Reason.Error() + ": " + e.Cause.Error()
}

// Unwrap returns the reason and the cause.
func (e *PeerError) Unwrap() []error { return []error{e.Reason, e.Cause} }

// A verifier decides who may be at the other end of a connection.
type verifier struct {
	own     *Current
	expect  []ID // none: anybody who is trusted
	aliases []TrustDomain
	usage   x509.ExtKeyUsage // what the peer's certificate must be good for
}

// verify is a VerifyConnection: unlike VerifyPeerCertificate it runs on resumed
// sessions too, and so holds their old chain to the roots now in force.
func (v *verifier) verify(state tls.ConnectionState) error {
	own, ok := v.own.Load()
	if !ok {
		return ErrNoCredential
	}
	id, err := PeerOf(state)
	if err != nil {
		return err
	}
	if err := v.trust(own, id, state.PeerCertificates); err != nil {
		return &PeerError{id, ErrUntrusted, err}
	}
	if !v.expects(own.ID().domain, id) {
		return &PeerError{id, ErrUnexpected, fmt.Errorf("want %s", v.expect)}
	}
	return nil
}

// trust verifies a chain against the roots of the peer's own trust domain only.
func (v *verifier) trust(own Credential, id ID, chain []*x509.Certificate) error {
	roots, ok := v.rootsFor(own, id.domain)
	if !ok {
		return fmt.Errorf("there are no roots of trust domain %s", id.domain)
	}
	return roots.vouch(chain, v.usage, time.Now())
}

// vouch reports whether the roots vouch for a chain, leaf first. There is no
// leeway for clocks that differ: who issues certificates dates them back.
func (r roots) vouch(chain []*x509.Certificate, usage x509.ExtKeyUsage, now time.Time) error {
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots:         r.pool,
		Intermediates: intermediates(chain),
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{usage},
	})
	return err
}

// rootsFor takes the workload's own roots for an alias of its trust domain that
// has no bundle of its own.
func (v *verifier) rootsFor(own Credential, domain TrustDomain) (roots, bool) {
	if r, ok := own.Bundles().lookup(domain); ok {
		return r, true
	}
	if slices.Contains(v.aliases, domain) {
		return own.Bundles().lookup(own.ID().domain)
	}
	return roots{}, false
}

func (v *verifier) expects(own TrustDomain, peer ID) bool {
	if len(v.expect) == 0 {
		return true
	}
	peer = v.canonical(own, peer)
	return slices.ContainsFunc(v.expect, func(id ID) bool { return v.canonical(own, id) == peer })
}

// canonical takes an alias of the own trust domain for the domain itself.
func (v *verifier) canonical(own TrustDomain, id ID) ID {
	if slices.Contains(v.aliases, id.domain) {
		id.domain = own
	}
	return id
}

// intermediates is nil, which Verify takes for none, where there are none.
func intermediates(chain []*x509.Certificate) *x509.CertPool {
	if len(chain) == 1 {
		return nil
	}
	pool := x509.NewCertPool()
	for _, c := range chain[1:] {
		pool.AddCert(c)
	}
	return pool
}
