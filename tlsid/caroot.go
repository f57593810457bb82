package tlsid

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/url"
	"time"
)

// backDate is how far NotBefore lies before the moment of issue, for peers
// whose clocks run late. Istio takes the same two minutes.
const backDate = 2 * time.Minute

// A root is one root of a CA, with its key. It does not change.
type root struct {
	number      int       // from 1
	signsFrom   time.Time // when the previous root stops signing and this one starts
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newRoot makes a root that signs from now on if it is the first, else when all
// have had the time to hear of it.
func newRoot(number int, c CAConfig, now time.Time) (*root, error) {
	r := &root{number: number, signsFrom: now}
	if number > 1 {
		r.signsFrom = now.Add(c.Announce)
	}
	var err error
	if r.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("key of the root: %w", err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: fmt.Sprintf("inmesh root %d of %s", number, c.TrustDomain)},
		NotBefore:             now.Add(-backDate),
		NotAfter:              now.Add(c.RootLifetime),
		URIs:                  []*url.URL{{Scheme: "spiffe", Host: c.TrustDomain.String()}},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true, // it signs leaves only
	}
	r.certificate, err = sign(template, template, &r.key.PublicKey, r.key)
	return r, err
}

// issue makes a credential of id that is valid until the given time, rounded up
// to the second, for certificates know no less; and never longer than the root.
func (r *root) issue(id ID, until, now time.Time) (Credential, error) {
	if err := r.inTime(now); err != nil {
		return Credential{}, err
	}
	until = until.Add(time.Second - 1).Truncate(time.Second)
	if until.After(r.certificate.NotAfter) {
		until = r.certificate.NotAfter
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Credential{}, fmt.Errorf("key of %s: %w", id, err)
	}
	leaf, err := sign(&x509.Certificate{
		NotBefore:             now.Add(-backDate),
		NotAfter:              until,
		URIs:                  []*url.URL{{Scheme: "spiffe", Host: id.domain.name, Path: id.path}},
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}, r.certificate, &key.PublicKey, r.key)
	if err != nil {
		return Credential{}, fmt.Errorf("certificate of %s: %w", id, err)
	}
	return holding(id, tls.Certificate{PrivateKey: key}, []*x509.Certificate{leaf}), nil
}

// inTime reports whether leaves would be verified now: those of the future are made
// by clocks that are set back.
func (r *root) inTime(now time.Time) error {
	switch from, to := r.certificate.NotBefore, r.certificate.NotAfter; {
	case now.Before(from):
		return fmt.Errorf("root %d is not valid before %s", r.number, from.Format(time.RFC3339))
	case !now.Before(to):
		return fmt.Errorf("root %d has expired at %s", r.number, to.Format(time.RFC3339))
	}
	return nil
}

// sign lets crypto/x509 choose the serial number and the key identifiers.
func sign(template, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
