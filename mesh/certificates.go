package mesh

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"time"

	"github.com/inmesh-go/inmesh/tlsid"
)

// Certificates are who this process proves to be and whom it trusts. There are no
// keys in them.
type Certificates struct {
	ID    string        `json:"id,omitempty"` // SPIFFE ID; "": there is no credential
	Chain []Certificate `json:"chain"`        // the own one first, then intermediates
	// Bundles are the roots that are trusted, by trust domain.
	Bundles   []Bundle `json:"bundles"`
	Rotations int      `json:"rotations"`         // how many credentials came after the first
	Trouble   string   `json:"trouble,omitempty"` // of their source, since the last one came
}

// A Bundle is the roots of a trust domain.
type Bundle struct {
	TrustDomain string        `json:"trustDomain"`
	Roots       []Certificate `json:"roots"`
}

// A Certificate is what one says of itself.
type Certificate struct {
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"`         // hexadecimal
	URIs        []string  `json:"uris,omitempty"` // SPIFFE IDs among them
	DNSNames    []string  `json:"dnsNames,omitempty"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	Key         string    `json:"key"`         // its algorithm: ECDSA, Ed25519, RSA
	Signature   string    `json:"signature"`   // its algorithm
	Fingerprint string    `json:"fingerprint"` // SHA-256 of the whole, hexadecimal
}

// Certificates are those in force.
func (m *Mesh) Certificates() Certificates {
	status, own := m.identity.get(), m.identity.own()
	out := Certificates{ID: status.ID, Chain: []Certificate{}, Bundles: []Bundle{}, Rotations: status.Rotations}
	if status.Err != nil {
		out.Trouble = status.Err.Error()
	}
	for _, c := range own.Chain() {
		out.Chain = append(out.Chain, describe(c))
	}
	for _, d := range own.Bundles().Domains() {
		out.Bundles = append(out.Bundles, bundleOf(d, own.Bundles()))
	}
	return out
}

func bundleOf(d tlsid.TrustDomain, all tlsid.Bundles) Bundle {
	b := Bundle{TrustDomain: d.String(), Roots: []Certificate{}}
	for _, c := range all.Roots(d) {
		b.Roots = append(b.Roots, describe(c))
	}
	return b
}

func describe(c *x509.Certificate) Certificate {
	sum := sha256.Sum256(c.Raw)
	out := Certificate{
		Subject: c.Subject.String(), Issuer: c.Issuer.String(), Serial: c.SerialNumber.Text(16), DNSNames: c.DNSNames,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, Key: c.PublicKeyAlgorithm.String(),
		Signature: c.SignatureAlgorithm.String(), Fingerprint: hex.EncodeToString(sum[:]),
	}
	for _, u := range c.URIs {
		out.URIs = append(out.URIs, u.String())
	}
	return out
}
