package clienttls_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/clienttls"
)

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// What a server must prove in mode SIMPLE.
func TestWhatAServerMustProve(t *testing.T) {
	root, stranger := newAuthority(t, nil), newAuthority(t, nil)
	middle := newAuthority(t, root)
	at := newFolder(t)
	ca, both := at.write("ca", root.pem()), at.write("both", append(stranger.pem(), root.pem()...))
	anchor := at.write("anchor", middle.pem())
	named := x509.Certificate{DNSNames: []string{"a.com", "*.b.com"}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}}
	workload := x509.Certificate{URIs: []*url.URL{mustParse(t, "spiffe://td/a")}, EmailAddresses: []string{"a@a.com"}}
	dressed := x509.Certificate{DNSNames: []string{"spiffe://td/a"}, URIs: []*url.URL{mustParse(t, "spiffe://td/b")}}
	mailed := x509.Certificate{EmailAddresses: []string{"spiffe://td/a", "a.com"}, URIs: []*url.URL{mustParse(t, "spiffe://td/b")}}
	expired := x509.Certificate{DNSNames: []string{"a.com"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}
	future := x509.Certificate{DNSNames: []string{"a.com"}, NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(2 * time.Hour)}
	client := x509.Certificate{DNSNames: []string{"a.com"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, c := range []struct {
		name   string
		config clienttls.FilesConfig
		asked  string
		shown  tls.Certificate
		fails  bool
	}{
		{"the name that was asked for", clienttls.FilesConfig{CA: ca}, "a.com", root.issue(named), false},
		{"another name", clienttls.FilesConfig{CA: ca}, "c.com", root.issue(named), true},
		{"a name under a wildcard", clienttls.FilesConfig{CA: ca}, "x.b.com", root.issue(named), false},
		{"an address", clienttls.FilesConfig{CA: ca}, "10.0.0.1", root.issue(named), false},
		{"another address", clienttls.FilesConfig{CA: ca}, "10.0.0.2", root.issue(named), true},
		{"the name of SNI", clienttls.FilesConfig{CA: ca, SNI: "a.com"}, "c.com", root.issue(named), false},
		{"the name that was asked for, not that of SNI", clienttls.FilesConfig{CA: ca, SNI: "c.com"}, "a.com", root.issue(named), true},
		{"a SAN", clienttls.FilesConfig{CA: ca, SANs: []string{"x", "a.com"}}, "c.com", root.issue(named), false},
		{"a SAN under a wildcard", clienttls.FilesConfig{CA: ca, SANs: []string{"x.b.com"}}, "c.com", root.issue(named), false},
		{"no SAN, but the name that was asked for", clienttls.FilesConfig{CA: ca, SANs: []string{"c.com"}}, "a.com", root.issue(named), true},
		{"a URI", clienttls.FilesConfig{CA: ca, SANs: []string{"spiffe://td/a"}}, "a.com", root.issue(workload), false},
		{"part of a URI", clienttls.FilesConfig{CA: ca, SANs: []string{"spiffe://td"}}, "a.com", root.issue(workload), true},
		{"a URI that is dressed up as a host", clienttls.FilesConfig{CA: ca, SANs: []string{"spiffe://td/a"}}, "a.com", root.issue(dressed), true},
		{"a URI that is dressed up as mail", clienttls.FilesConfig{CA: ca, SANs: []string{"spiffe://td/a"}}, "a.com", root.issue(mailed), true},
		{"a host that is dressed up as mail", clienttls.FilesConfig{CA: ca, SANs: []string{"a.com"}}, "a.com", root.issue(mailed), true},
		{"an address of mail", clienttls.FilesConfig{CA: ca, SANs: []string{"a@a.com"}}, "a.com", root.issue(workload), false},
		{"a chain", clienttls.FilesConfig{CA: ca}, "a.com", middle.issue(named, middle), false},
		{"a chain with a gap", clienttls.FilesConfig{CA: ca}, "a.com", middle.issue(named), true},
		{"an intermediate as the anchor", clienttls.FilesConfig{CA: anchor}, "a.com", middle.issue(named), false},
		{"one of two roots", clienttls.FilesConfig{CA: both}, "a.com", root.issue(named), false},
		{"a root that nobody trusts", clienttls.FilesConfig{CA: ca}, "a.com", stranger.issue(named), true},
		{"the system's roots", clienttls.FilesConfig{}, "a.com", root.issue(named), true},
		{"expired", clienttls.FilesConfig{CA: ca}, "a.com", root.issue(expired), true},
		{"not yet valid", clienttls.FilesConfig{CA: ca}, "a.com", root.issue(future), true},
		{"a client's certificate", clienttls.FilesConfig{CA: ca}, "a.com", root.issue(client), true},
		{"unverified", clienttls.FilesConfig{Insecure: true}, "c.com", stranger.issue(expired), false},
	} {
		config, err := clienttls.NewFiles(c.config).Config(c.asked)
		_, err, _ = shake(t, mustHave(t, config, err), &tls.Config{Certificates: []tls.Certificate{c.shown}})
		if (err != nil) != c.fails {
			t.Errorf("%s: got %v, want an error: %v", c.name, err, c.fails)
		}
	}
}

func TestWhatAServerIsTold(t *testing.T) {
	root, at := newAuthority(t, nil), newFolder(t)
	ca := at.write("ca", root.pem())
	for _, c := range []struct{ sni, asked, told string }{
		{"", "a.com", "a.com"}, {"s.com", "a.com", "s.com"}, {"", "10.0.0.1", ""},
	} {
		var told string
		server := &tls.Config{
			Certificates:       []tls.Certificate{root.issue(x509.Certificate{DNSNames: []string{"a.com"}})},
			NextProtos:         []string{"h2", "http/1.1"},
			GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) { told = h.ServerName; return nil, nil },
		}
		config, err := clienttls.NewFiles(clienttls.FilesConfig{CA: ca, SNI: c.sni, SANs: []string{"a.com"}}).Config(c.asked, "http/1.1")
		state, err, _ := shake(t, mustHave(t, config, err), server)
		if err != nil || told != c.told || state.NegotiatedProtocol != "http/1.1" {
			t.Errorf("asked %s, sni %s: told %q, protocol %q, %v; want %q", c.asked, c.sni, told, state.NegotiatedProtocol, err, c.told)
		}
	}
}

func TestOldVersionsAreRefused(t *testing.T) {
	root, at := newAuthority(t, nil), newFolder(t)
	files := clienttls.NewFiles(clienttls.FilesConfig{CA: at.write("ca", root.pem())})
	for version, fails := range map[uint16]bool{tls.VersionTLS11: true, tls.VersionTLS12: false, tls.VersionTLS13: false} {
		server := &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version, Certificates: []tls.Certificate{root.issue(x509.Certificate{DNSNames: []string{"a.com"}})}}
		config, err := files.Config("a.com")
		if _, err, _ = shake(t, mustHave(t, config, err), server); (err != nil) != fails {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}

// A server that wants another authority's certificates is shown the rule's all
// the same: it says best what is wrong.
func TestAClientShowsItsCertificate(t *testing.T) {
	root, at := newAuthority(t, nil), newFolder(t)
	chain, key := pemOf(t, root.issue(x509.Certificate{DNSNames: []string{"me"}}))
	files := clienttls.NewFiles(clienttls.FilesConfig{CA: at.write("ca", root.pem()), Certificate: at.write("chain", chain), Key: at.write("key", key)})
	var shown []string
	pool := x509.NewCertPool()
	pool.AddCert(newAuthority(t, nil).certificate)
	server := &tls.Config{
		ClientAuth:       tls.RequireAnyClientCert,
		ClientCAs:        pool,
		Certificates:     []tls.Certificate{root.issue(x509.Certificate{DNSNames: []string{"a.com"}})},
		VerifyConnection: func(s tls.ConnectionState) error { shown = s.PeerCertificates[0].DNSNames; return nil },
	}
	config, err := files.Config("a.com")
	_, err, _ = shake(t, mustHave(t, config, err), server)
	if err != nil || len(shown) != 1 || shown[0] != "me" {
		t.Errorf("shown %q, %v", shown, err)
	}
}

// reports collects what is reported.
type reports []string

func (r *reports) add(err error) { *r = append(*r, err.Error()) }

// Certificates are renewed file by file. In between, the pair that was good last
// is shown; who cannot read a good one at first fails.
func TestAKeyAndItsCertificateAreNeverTorn(t *testing.T) {
	root, at := newAuthority(t, nil), newFolder(t)
	oldChain, oldKey := pemOf(t, root.issue(x509.Certificate{DNSNames: []string{"old"}}))
	newChain, newKey := pemOf(t, root.issue(x509.Certificate{DNSNames: []string{"new"}}))
	var told reports
	config := clienttls.FilesConfig{Insecure: true, Certificate: at.write("chain", oldChain), Key: at.write("key", oldKey), Report: told.add}
	files := clienttls.NewFiles(config)
	for _, step := range []struct {
		name  string
		do    func()
		shown string
		told  int
	}{
		{"at first", func() {}, "old", 0},
		{"the certificate is new", func() { at.write("chain", newChain) }, "old", 1},
		{"still", func() {}, "old", 1},
		{"the key is new, too", func() { at.write("key", newKey) }, "new", 1},
		{"the key is gone", func() { at.remove("key") }, "new", 2},
		{"the key is no key", func() { at.write("key", []byte("garbage")) }, "new", 2},
		{"both are back", func() { at.write("chain", oldChain); at.write("key", oldKey) }, "old", 2},
	} {
		step.do()
		c, err := files.Config("")
		if err != nil {
			t.Fatal(err)
		}
		pair, err := c.GetClientCertificate(nil)
		if err != nil || pair.Leaf.DNSNames[0] != step.shown {
			t.Errorf("%s: shows %q, %v; want %q", step.name, pair.Leaf.DNSNames, err, step.shown)
		}
		if len(told) != step.told {
			t.Errorf("%s: reported %q, want %d", step.name, told, step.told)
		}
	}
	at.write("key", newKey)
	_, err := clienttls.NewFiles(config).Config("")
	if err == nil || !strings.Contains(err.Error(), config.Key) || strings.Contains(err.Error(), "PRIVATE") {
		t.Errorf("of a torn pair: %v", err)
	}
}

func TestNewRootsHoldForTheNextConnection(t *testing.T) {
	old, next, at := newAuthority(t, nil), newAuthority(t, nil), newFolder(t)
	ca := at.write("ca", old.pem())
	files := clienttls.NewFiles(clienttls.FilesConfig{CA: ca})
	trusts := func(a *authority) bool {
		config, err := files.Config("a.com")
		_, err, _ = shake(t, mustHave(t, config, err), &tls.Config{Certificates: []tls.Certificate{a.issue(x509.Certificate{DNSNames: []string{"a.com"}})}})
		return err == nil
	}
	if !trusts(old) || trusts(next) {
		t.Error("not the first roots")
	}
	at.write("ca", next.pem())
	if trusts(old) || !trusts(next) {
		t.Error("not the second roots")
	}
	if err := os.Chtimes(ca, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if trusts(old) || !trusts(next) || !trusts(next) {
		t.Error("not the roots that have stood for long")
	}
	at.write("ca", old.pem())
	if !trusts(old) || trusts(next) {
		t.Error("not the third roots")
	}
}

// An error says which file, and what is wrong with it.
func TestAFileThatCannotBeUsedIsNamed(t *testing.T) {
	at := newFolder(t)
	garbage := at.write("garbage", []byte("garbage"))
	broken := at.write("broken", encode("CERTIFICATE", []byte("x")))
	list := at.write("list", encode("X509 CRL", []byte("x")))
	// Half of the roots are roots, and half of the lists revoke less.
	root := newAuthority(t, nil)
	half := at.write("half", append(root.pem(), root.pem()[:100]...))
	crl := root.list(time.Now().Add(time.Hour), nil)
	halfList := at.write("half-list", append(bytes.Clone(crl), crl[:100]...))
	for _, c := range []struct {
		config clienttls.FilesConfig
		want   string
	}{
		{clienttls.FilesConfig{CA: "/none"}, "CA certificates: stat /none: no such file"},
		{clienttls.FilesConfig{CA: at.path}, at.path + ": it is not a regular file"},
		{clienttls.FilesConfig{CA: garbage}, garbage + ": there is no certificate in it"},
		{clienttls.FilesConfig{CA: broken}, broken + ": certificate 1: "},
		{clienttls.FilesConfig{CA: half}, half + ": 2 PEM blocks begin in it, and 1 can be read"},
		{clienttls.FilesConfig{CRL: halfList}, halfList + ": 2 PEM blocks begin in it, and 1 can be read"},
		{clienttls.FilesConfig{CRL: "/none"}, "revocation lists: stat /none: no such file"},
		{clienttls.FilesConfig{CRL: garbage}, garbage + ": there is no X509 CRL in it"},
		{clienttls.FilesConfig{CRL: list}, list + ": list 1: "},
		{clienttls.FilesConfig{Certificate: "/none", Key: "/none"}, "client certificate: stat /none: no such file"},
		{clienttls.FilesConfig{Certificate: garbage, Key: garbage}, "client certificate: [" + garbage + " " + garbage + "]: tls: "},
	} {
		_, err := clienttls.NewFiles(c.config).Config("a.com")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.config, err, c.want)
		}
	}
	if _, err := clienttls.NewFiles(clienttls.FilesConfig{CA: "/none"}).Config("a.com"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v is not os.ErrNotExist", err)
	}
}
