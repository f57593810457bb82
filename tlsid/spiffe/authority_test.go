package spiffe_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net/url"
	"testing"
	"time"
)

// An authority is a root, or an intermediate below one, that signs whatever it
// is asked to: the certificates that a peer must refuse too.
type authority struct {
	t     *testing.T
	cert  *x509.Certificate
	key   crypto.Signer
	chain []*x509.Certificate // from this authority to below the root; nil for a root
}

// A leaf is a certificate chain, leaf first, and the leaf's key.
type leaf struct {
	chain []*x509.Certificate
	key   crypto.Signer
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key := newKey(t)
	template := caTemplate()
	return &authority{t: t, key: key, cert: sign(t, template, template, key, key)}
}

// intermediate is an authority below a.
func (a *authority) intermediate() *authority {
	key := newKey(a.t)
	cert := sign(a.t, caTemplate(), a.cert, key, a.key)
	return &authority{t: a.t, key: key, cert: cert, chain: append([]*x509.Certificate{cert}, a.chain...)}
}

// leaf is a certificate for id that is valid by every rule, but for what the
// changes make of it.
func (a *authority) leaf(id string, changes ...func(*x509.Certificate)) leaf {
	return a.leafOf(newKey(a.t), id, changes...)
}

func (a *authority) leafOf(key crypto.Signer, id string, changes ...func(*x509.Certificate)) leaf {
	a.t.Helper()
	template := leafTemplate()
	addURI(id)(template)
	for _, change := range changes {
		change(template)
	}
	cert := sign(a.t, template, a.cert, key, a.key)
	return leaf{chain: append([]*x509.Certificate{cert}, a.chain...), key: key}
}

func caTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          serial(),
		NotBefore:             time.Now().Add(-24 * time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func leafTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          serial(),
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func sign(t *testing.T, template, parent *x509.Certificate, key, parentKey crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	return new(big.Int).SetBytes(b[:])
}

// der is the concatenated DER of certificates, as the Workload API sends them.
func der(certs ...*x509.Certificate) (all []byte) {
	for _, c := range certs {
		all = append(all, c.Raw...)
	}
	return all
}

func pkcs8(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func addURI(id string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		u, err := url.Parse(id)
		if err != nil {
			panic(err) // a test misspelt it
		}
		c.URIs = append(c.URIs, u)
	}
}
