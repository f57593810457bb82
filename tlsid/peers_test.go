package tlsid_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/tlsid"
)

func domain(t testing.TB, name string) tlsid.TrustDomain {
	t.Helper()
	d, err := tlsid.ParseTrustDomain(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func id(t testing.TB, s string) tlsid.ID {
	t.Helper()
	id, err := tlsid.ParseID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// An authority signs whatever it is told to.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	above       [][]byte // between it and the root
}

// caTemplate is an authority's; change may be nil.
func caTemplate(name string, change func(*x509.Certificate)) *x509.Certificate {
	now := time.Now()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(100 * time.Hour),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	if change != nil {
		change(template)
	}
	return template
}

func newAuthority(t testing.TB, name string) authority {
	t.Helper()
	key := newKey(t)
	template := caTemplate(name, nil)
	return authority{certificate: create(t, template, template, key.Public(), key), key: key}
}

// under returns an authority that a signs.
func (a authority) under(t testing.TB, name string, change func(*x509.Certificate)) authority {
	t.Helper()
	key := newKey(t)
	c := create(t, caTemplate(name, change), a.certificate, key.Public(), a.key)
	return authority{c, key, append([][]byte{c.Raw}, a.above...)}
}

// leaf returns a leaf of the given URI names, valid for an hour; change may be
// nil. The chain is leaf first, without the root.
func (a authority) leaf(t testing.TB, change func(*x509.Certificate), uris ...string) tls.Certificate {
	t.Helper()
	now := time.Now()
	template := &x509.Certificate{
		NotBefore:             now.Add(-time.Minute),
		NotAfter:              now.Add(time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	for _, uri := range uris {
		parsed, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, parsed)
	}
	if change != nil {
		change(template)
	}
	key := newKey(t)
	c := create(t, template, a.certificate, key.Public(), a.key)
	return tls.Certificate{Certificate: append([][]byte{c.Raw}, a.above...), PrivateKey: key, Leaf: c}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func create(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// trusting returns bundles of one trust domain.
func trusting(d tlsid.TrustDomain, roots ...authority) tlsid.Bundles {
	var certificates []*x509.Certificate
	for _, r := range roots {
		certificates = append(certificates, r.certificate)
	}
	return tlsid.NewBundles(map[tlsid.TrustDomain][]*x509.Certificate{d: certificates})
}

func credential(t testing.TB, certificate tls.Certificate, bundles tlsid.Bundles) tlsid.Credential {
	t.Helper()
	c, err := tlsid.NewCredential(certificate, bundles)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func holding(c tlsid.Credential) *tlsid.Current {
	own := new(tlsid.Current)
	own.Store(c)
	return own
}

// A side is what one side of a connection has seen.
type side struct {
	state tls.ConnectionState
	err   error
}

// shake has a client and a server shake hands and pass one byte, which brings
// the client the session ticket, or the refusal. It takes real sockets: both
// sides may write at the same time, which blocks in a net.Pipe.
func shake(t testing.TB, client, server *tls.Config) (c, s side) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	done := make(chan side, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			done <- side{err: err}
			return
		}
		done <- serve(tls.Server(conn, server))
	}()
	near, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c = call(tls.Client(near, client))
	return c, <-done
}

func call(conn *tls.Conn) side {
	defer conn.NetConn().Close()
	err := conn.Handshake()
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	return side{conn.ConnectionState(), err}
}

func serve(conn *tls.Conn) side {
	defer conn.NetConn().Close()
	err := conn.Handshake()
	if err == nil {
		_, err = conn.Write([]byte{1})
	}
	return side{conn.ConnectionState(), err}
}

// first is the first credential of a source.
func first(t testing.TB, s tlsid.Source) tlsid.Credential {
	t.Helper()
	for c, err := range s.Watch(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Fatal("the source yields nothing")
	return tlsid.Credential{}
}
