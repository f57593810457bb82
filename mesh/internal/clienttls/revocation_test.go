package clienttls_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/clienttls"
)

// As in Envoy: each issuer of the chain has a list that is in force, or nobody is
// accepted.
func TestRevocation(t *testing.T) {
	root, twin := newAuthority(t, nil), newAuthority(t, nil)
	middle := newAuthority(t, root)
	leaf := root.issue(x509.Certificate{DNSNames: []string{"a.com"}})
	deep := middle.issue(x509.Certificate{DNSNames: []string{"a.com"}}, middle)
	other := root.issue(x509.Certificate{DNSNames: []string{"b.com"}})
	later, past := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	for _, c := range []struct {
		name  string
		lists [][]byte
		shown tls.Certificate
		want  string // of the error; "": none
	}{
		{"nobody is revoked", [][]byte{root.list(later, nil)}, leaf, ""},
		{"another is revoked", [][]byte{root.list(later, nil, other.Leaf)}, leaf, ""},
		{"revoked", [][]byte{root.list(later, nil, other.Leaf, leaf.Leaf)}, leaf, "revoked"},
		{"revoked in the second list", [][]byte{root.list(later, nil), root.list(later, nil, leaf.Leaf)}, leaf, "revoked"},
		{"the list has expired", [][]byte{root.list(past, nil)}, leaf, "it has expired at"},
		{"the list has expired, and says revoked", [][]byte{root.list(past, nil, leaf.Leaf)}, leaf, "it has expired at"},
		{"the list is not in force yet", [][]byte{root.list(later.Add(2*time.Hour), nil)}, leaf, "it is not in force before"},
		{"an expired list and one in force", [][]byte{root.list(past, nil), root.list(later, nil)}, leaf, ""},
		{"signed by another of its name", [][]byte{twin.list(later, nil)}, leaf, "revocation list of CN=root"},
		{"signed by another and by it", [][]byte{twin.list(later, nil, leaf.Leaf), root.list(later, nil)}, leaf, ""},
		{"no list of the intermediate", [][]byte{root.list(later, nil)}, deep, "there is no revocation list of its issuer, CN=intermediate"},
		{"no list of the root", [][]byte{middle.list(later, nil)}, deep, "there is no revocation list of its issuer, CN=root"},
		{"lists of all", [][]byte{root.list(later, nil), middle.list(later, nil)}, deep, ""},
		{"the intermediate is revoked", [][]byte{root.list(later, nil, middle.certificate), middle.list(later, nil)}, deep, "revoked"},
	} {
		at := newFolder(t)
		files := clienttls.NewFiles(clienttls.FilesConfig{CA: at.write("ca", root.pem()), CRL: at.write("crl", bytes.Join(c.lists, nil))})
		config, err := files.Config("a.com")
		_, err, _ = shake(t, mustHave(t, config, err), &tls.Config{Certificates: []tls.Certificate{c.shown}})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if errors.Is(err, clienttls.ErrRevoked) != (c.want == "revoked") {
			t.Errorf("%s: %v is ErrRevoked or is not", c.name, err)
		}
	}
}

func TestAListWithACriticalExtensionIsNotUsed(t *testing.T) {
	root, at := newAuthority(t, nil), newFolder(t)
	critical := []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0}}} // an issuing distribution point
	files := clienttls.NewFiles(clienttls.FilesConfig{CRL: at.write("crl", root.list(time.Now().Add(time.Hour), critical))})
	if _, err := files.Config("a.com"); err == nil || !strings.Contains(err.Error(), "its critical extension 2.5.29.28 is not known") {
		t.Errorf("got %v", err)
	}
}
