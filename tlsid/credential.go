package tlsid

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// A Credential is what a workload proves its identity with, and what it trusts
// others by: a certificate chain, its private key, and bundles. It is valid in
// form and does not change; the zero Credential is none. Copies are cheap.
//
// However it is formatted, logged or marshalled, alone or inside another
// value, the private key does not show.
type Credential struct{ held *held }

// held has the certificate, and so the key, in the closure of a function, into
// which fmt cannot look. It does look behind pointers, for %s, and into the
// fields of values that hold a Credential, where it cannot call String.
type held struct {
	id          ID
	certificate func() *tls.Certificate
	chain       []*x509.Certificate // the certificates, parsed
	bundles     Bundles
}

// NewCredential returns the credential of the identity that the certificate
// names. The chain has the leaf first, then intermediates; the leaf must be an
// X509-SVID and belong to the private key. Whether it is in time is not asked
// here, see Check; nor whether the bundles trust it, which is for its peers.
func NewCredential(certificate tls.Certificate, bundles Bundles) (Credential, error) {
	chain, err := parseChain(certificate.Certificate)
	if err != nil {
		return Credential{}, fmt.Errorf("credential: %w", err)
	}
	id, err := identify(chain[0])
	if err != nil {
		return Credential{}, fmt.Errorf("credential: %w", err)
	}
	if err := checkKey(certificate.PrivateKey, chain[0]); err != nil {
		return Credential{}, fmt.Errorf("credential of %s: %w", id, err)
	}
	return holding(id, certificate, chain).With(bundles), nil
}

// holding returns the credential of what is known to belong together.
func holding(id ID, certificate tls.Certificate, chain []*x509.Certificate) Credential {
	certificate.Certificate = make([][]byte, len(chain))
	for i, c := range chain {
		certificate.Certificate[i] = c.Raw
	}
	certificate.Leaf = chain[0]
	reveal := func() *tls.Certificate { return &certificate }
	return Credential{&held{id: id, certificate: reveal, chain: chain}}
}

// ID returns who the credential proves to be.
func (c Credential) ID() ID {
	if c.held == nil {
		return ID{}
	}
	return c.held.id
}

// Certificate returns the chain with its key, for crypto/tls; nil for none. It
// is shared: the caller must not change it, nor format it, for it shows the key.
func (c Credential) Certificate() *tls.Certificate {
	if c.held == nil {
		return nil
	}
	return c.held.certificate()
}

// Chain returns the certificates, the leaf first, without the key. The caller may
// keep the slice, and must not change the certificates.
func (c Credential) Chain() []*x509.Certificate {
	if c.held == nil {
		return nil
	}
	return slices.Clone(c.held.chain)
}

// Bundles returns what the workload trusts.
func (c Credential) Bundles() Bundles {
	if c.held == nil {
		return Bundles{}
	}
	return c.held.bundles
}

// IsZero reports whether c is none.
func (c Credential) IsZero() bool { return c.held == nil }

// NotBefore and NotAfter bound the validity of the leaf, both included.
func (c Credential) NotBefore() time.Time { return c.leaf().NotBefore }

// NotAfter is the last instant at which the leaf is valid.
func (c Credential) NotAfter() time.Time { return c.leaf().NotAfter }

// With returns the same identity with other bundles.
func (c Credential) With(bundles Bundles) Credential {
	if c.held == nil {
		return c
	}
	with := *c.held
	with.bundles = bundles
	return Credential{&with}
}

// String names the identity, the serial number and the validity.
func (c Credential) String() string {
	if c.held == nil {
		return "no credential"
	}
	return fmt.Sprintf("%s, serial %x, valid from %s to %s, %s", c.held.id, c.leaf().SerialNumber,
		c.NotBefore().Format(time.RFC3339), c.NotAfter().Format(time.RFC3339), c.held.bundles)
}

// GoString is String, so that %#v shows no key.
func (c Credential) GoString() string { return c.String() }

// MarshalText returns what String does, and never fails.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// LogValue implements slog.LogValuer, without the key.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// leaf is the certificate of the workload; of none, an empty one.
func (c Credential) leaf() *x509.Certificate {
	if c.held == nil {
		return new(x509.Certificate)
	}
	return c.held.chain[0]
}

func parseChain(der [][]byte) ([]*x509.Certificate, error) {
	if len(der) == 0 {
		return nil, errors.New("the chain has no certificate")
	}
	chain := make([]*x509.Certificate, len(der))
	for i, raw := range der {
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the chain: %w", i+1, err)
		}
		chain[i] = c
	}
	return chain, nil
}

// checkKey reports whether key is the private key of the leaf.
func checkKey(key crypto.PrivateKey, leaf *x509.Certificate) error {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return errors.New("there is no private key that can sign")
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(leaf.PublicKey) {
		return errors.New("the private key does not belong to the certificate")
	}
	return nil
}
