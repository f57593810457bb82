package spiffe_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"strings"
	"testing"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/inmesh-go/inmesh/tlsid"
)

// spellings are all combinations of schemes, trust domains and paths, good and
// bad, and some that are none.
func spellings() []string {
	schemes := []string{"spiffe://", "SPIFFE://", "Spiffe://", "spiffe:/", "spiffe:", "https://", "spiffe:///", "", "//", " spiffe://"}
	domains := []string{
		"a", "cluster.local", "A", "a-b_c.9", "", ".", "..", "-", "a.", ".a", "_", "a:80", "u@a", "a b", "a%62", "ä", "a~", "a!",
		"[::1]", "1.2.3.4", "xn--bcher-kva", "a\x00", strings.Repeat("a", 255), strings.Repeat("a", 256),
	}
	paths := []string{
		"", "/", "/a", "/a/b", "/a/", "//", "/a//b", "/.", "/..", "/a/.", "/a/..", "/./a", "/../a", "/...", "/.a", "/a.", "/A", "/a:b",
		"/a b", "/%61", "/a%2fb", "/ä", "/a?b", "/a#b", "?", "#", "/a;b", "/a=b", "/a~", "/a+", "/a*", "/a@b", "/a\\b", "/a\x00", "/-", "/_",
		"/ns/default/sa/reviews", "/" + strings.Repeat("p", 2000), "/" + strings.Repeat("p", 2048),
	}
	all := []string{"spiffe", "spiffe://a\n", "\tspiffe://a/b", "spiffe://a/b ", "\xff", "spiffe://a/\xff"}
	for _, scheme := range schemes {
		for _, domain := range domains {
			for _, path := range paths {
				all = append(all, scheme+domain+path)
			}
		}
	}
	return all
}

func TestIDsAreThoseOfGoSpiffeWithinTheBoundsOfLength(t *testing.T) {
	good := 0
	for _, text := range spellings() {
		if agreesOnID(t, text) {
			good++
		}
	}
	if good < 50 {
		t.Errorf("only %d of the spellings are IDs: too few to show anything", good)
	}
}

func FuzzIDsAreThoseOfGoSpiffeWithinTheBoundsOfLength(f *testing.F) {
	for _, text := range []string{productpage, "spiffe://a", "spiffe://a/b//c", "spiffe://A/b", "spiffe://a/.."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { agreesOnID(t, text) })
}

// agreesOnID compares what both make of text, and reports whether it is an ID.
func agreesOnID(t *testing.T, text string) bool {
	t.Helper()
	want, wantErr := spiffeid.FromString(text)
	got, err := tlsid.ParseID(text)
	if good := wantErr == nil && inBounds(want); good != (err == nil) {
		t.Errorf("%.300q: got %v, want %v", text, err, wantErr)
	}
	if err != nil {
		return false
	}
	same(t, got, want)
	return true
}

// Only of these does go-spiffe know no bounds.
func inBounds(id spiffeid.ID) bool {
	return len(id.String()) <= tlsid.MaxIDBytes && len(id.TrustDomain().Name()) <= tlsid.MaxTrustDomainBytes
}

func same(t *testing.T, got tlsid.ID, want spiffeid.ID) {
	t.Helper()
	if got.String() != want.String() || got.Path() != want.Path() || got.TrustDomain().String() != want.TrustDomain().Name() {
		t.Errorf("got %s, of %s and %s, want %s, of %s and %s",
			got, got.TrustDomain(), got.Path(), want, want.TrustDomain().Name(), want.Path())
	}
}

func TestTrustDomainsAreThoseOfGoSpiffe(t *testing.T) {
	for _, name := range []string{"a", "cluster.local", "A", "a-b_c.9", "", ".", "a:80", "u@a", "a/b", "a b", "ä", "a~", "%61"} {
		_, wantErr := spiffeid.TrustDomainFromString(name)
		if _, err := tlsid.ParseTrustDomain(name); (err == nil) != (wantErr == nil) && !strings.Contains(name, "/") {
			t.Errorf("%q: got %v, want %v", name, err, wantErr)
		}
	}
}

// What a certificate's URI names, after url.Parse has had its way with it.
func FuzzPeersAreThoseOfGoSpiffe(f *testing.F) {
	for _, text := range []string{productpage, "SPIFFE://a/b", "spiffe://a/b?", "spiffe://a/b#", "spiffe://a/%62", "spiffe:a/b", "spiffe://u@a:1/b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if u, err := url.Parse(text); err == nil {
			agreesOnPeer(t, u)
		}
	})
}

func TestPeersAreThoseOfGoSpiffe(t *testing.T) {
	for _, text := range spellings() {
		if u, err := url.Parse(text); err == nil {
			agreesOnPeer(t, u)
		}
	}
}

func agreesOnPeer(t *testing.T, u *url.URL) {
	t.Helper()
	certificate := &x509.Certificate{URIs: []*url.URL{u}}
	want, wantErr := x509svid.IDFromCert(certificate)
	got, err := tlsid.PeerOf(tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}})
	if good := wantErr == nil && inBounds(want) && want.Path() != ""; good != (err == nil) {
		t.Errorf("%.300q: got %v, want %v", u, err, wantErr)
	}
	if err == nil {
		same(t, got, want)
	}
}
