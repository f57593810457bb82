package clienttls_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An authority issues certificates and revokes them.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	serials     int64
}

// newAuthority makes a root, or an intermediate of by.
func newAuthority(t *testing.T, by *authority) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t), serials: 1}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if by == nil {
		template.SerialNumber = big.NewInt(1)
		a.certificate = sign(t, template, template, a.key.Public(), a.key)
		return a
	}
	template.Subject.CommonName = "intermediate"
	a.certificate = by.sign(template, a.key.Public())
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
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

func (a *authority) sign(template *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	a.t.Helper()
	a.serials++
	template.SerialNumber = big.NewInt(a.serials)
	return sign(a.t, template, a.certificate, public, a.key)
}

// issue makes a certificate; intermediates are shown with it.
func (a *authority) issue(template x509.Certificate, intermediates ...*authority) tls.Certificate {
	a.t.Helper()
	key := newKey(a.t)
	leaf := a.sign(&template, key.Public())
	c := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	for _, i := range intermediates {
		c.Certificate = append(c.Certificate, i.certificate.Raw)
	}
	return c
}

// list is a revocation list that is in force until to.
func (a *authority) list(to time.Time, extensions []pkix.Extension, revoked ...*x509.Certificate) []byte {
	a.t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: to.Add(-2 * time.Hour), NextUpdate: to, ExtraExtensions: extensions}
	for _, c := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: template.ThisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.certificate, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return encode("X509 CRL", der)
}

func encode(kind string, der ...[]byte) []byte {
	var out bytes.Buffer
	for _, d := range der {
		_ = pem.Encode(&out, &pem.Block{Type: kind, Bytes: d})
	}
	return out.Bytes()
}

func (a *authority) pem() []byte { return encode("CERTIFICATE", a.certificate.Raw) }

// pemOf is a certificate with its chain, and its key.
func pemOf(t *testing.T, c tls.Certificate) (chain, key []byte) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", c.Certificate...), encode("PRIVATE KEY", der)
}

// A folder holds the files of a test.
type folder struct {
	t    *testing.T
	path string
}

func newFolder(t *testing.T) folder { return folder{t, t.TempDir()} }

// write replaces a file, as renames do.
func (f folder) write(name string, text []byte) string {
	f.t.Helper()
	path := filepath.Join(f.path, name)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		f.t.Fatal(err)
	}
	return path
}

func (f folder) remove(name string) {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.path, name)); err != nil {
		f.t.Fatal(err)
	}
}

// shake makes a connection in memory, and returns what each side says of it.
func shake(t *testing.T, client, server *tls.Config) (state tls.ConnectionState, clientErr, serverErr error) {
	t.Helper()
	c, s := net.Pipe()
	done := make(chan error, 1)
	go func() {
		conn := tls.Server(s, server)
		err := conn.Handshake()
		if err == nil {
			_, err = conn.Write([]byte("x"))
		}
		_ = s.Close()
		done <- err
	}()
	conn := tls.Client(c, client)
	clientErr = conn.Handshake()
	if clientErr == nil {
		_, clientErr = conn.Read(make([]byte, 1)) // TLS 1.3: the server's verdict on the client
	}
	state = conn.ConnectionState()
	_ = c.Close()
	return state, clientErr, <-done
}

func mustHave(t *testing.T, c *tls.Config, err error) *tls.Config {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return c
}
