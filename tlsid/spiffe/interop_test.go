package spiffe_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/inmesh-go/inmesh/tlsid"
)

// A party is one end of a connection as both libraries see it: what it shows,
// and what it trusts.
type party struct {
	t       *testing.T
	shows   leaf
	trusted map[string]*authority // by trust domain
	expects string                // the only peer that is expected
}

// svids and bundles are what go-spiffe reads. It takes the leaf as it is: a
// peer with bad intentions has no library that stops it.
func (p party) svids() x509svid.Source {
	return &x509svid.SVID{Certificates: p.shows.chain, PrivateKey: p.shows.key}
}

func (p party) bundles() *x509bundle.Set {
	set := x509bundle.NewSet()
	for name, a := range p.trusted {
		domain := spiffeid.RequireTrustDomainFromString(name)
		set.Add(x509bundle.FromX509Authorities(domain, []*x509.Certificate{a.cert}))
	}
	return set
}

func (p party) authorizer() tlsconfig.Authorizer {
	return tlsconfig.AuthorizeID(spiffeid.RequireFromString(p.expects))
}

func (p party) spiffeClient() *tls.Config {
	return tlsconfig.MTLSClientConfig(p.svids(), p.bundles(), p.authorizer())
}

func (p party) spiffeServer() *tls.Config {
	return tlsconfig.MTLSServerConfig(p.svids(), p.bundles(), p.authorizer())
}

// current is what tlsid reads; nil where it refuses to show the leaf.
func (p party) current() *tlsid.Current {
	c, err := tlsid.NewCredential(tlsCertificate(p.shows), bundlesOf(p.t, p.trusted))
	if err != nil {
		return nil
	}
	current := new(tlsid.Current)
	current.Store(c)
	return current
}

func (p party) ourClient() *tls.Config {
	return tlsid.ClientConfig(p.current(), tlsid.Expect{IDs: []tlsid.ID{mustID(p.t, p.expects)}})
}

func (p party) ourServer() *tls.Config {
	return tlsid.ServerConfig(p.current(), tlsid.Accept{IDs: []tlsid.ID{mustID(p.t, p.expects)}})
}

// A world has two trust domains that know each other, and a stranger.
type world struct {
	t                       *testing.T
	home, partner, stranger *authority
}

func newWorld(t *testing.T) world {
	t.Helper()
	return world{t, newAuthority(t), newAuthority(t), newAuthority(t)}
}

func (w world) party(shows leaf, expects string) party {
	return party{w.t, shows, map[string]*authority{"cluster.local": w.home, "partner.example": w.partner}, expects}
}

const (
	partner = "spiffe://partner.example/billing"
	foreign = "spiffe://foreign.example/a"
)

// A peer is whom a host meets, and what is to become of it.
type peer struct {
	leaf    leaf
	expect  string // whom the host expects
	refused error  // by tlsid; nil: welcome
	lax     bool   // go-spiffe lets in what tlsid refuses
}

func (w world) peers() map[string]peer {
	leafOf := w.home.leaf
	welcome := func(l leaf) peer { return peer{leaf: l, expect: reviews} }
	refused := func(err error, l leaf) peer { return peer{leaf: l, expect: reviews, refused: err} }
	notSVID := func(changes ...func(*x509.Certificate)) peer {
		return refused(tlsid.ErrNotSVID, leafOf(reviews, changes...))
	}
	incomplete := w.home.intermediate().leaf(reviews)
	incomplete.chain = incomplete.chain[:1]

	return map[string]peer{
		"a good one":               welcome(leafOf(reviews)),
		"below an intermediate":    welcome(w.home.intermediate().leaf(reviews)),
		"below two intermediates":  welcome(w.home.intermediate().intermediate().leaf(reviews)),
		"with an RSA key":          welcome(w.home.leafOf(rsaKey(w.t), reviews)),
		"with an Ed25519 key":      welcome(w.home.leafOf(ed25519Key(w.t), reviews)),
		"without extended usages":  welcome(leafOf(reviews, usages())),
		"with DNS names besides":   welcome(leafOf(reviews, func(c *x509.Certificate) { c.DNSNames = []string{"reviews"} })),
		"of a federated domain":    {leaf: w.partner.leaf(partner), expect: partner},
		"of another domain":        {leaf: w.stranger.leaf(foreign), expect: foreign, refused: tlsid.ErrUntrusted},
		"unexpected":               refused(tlsid.ErrUnexpected, leafOf(productpage)),
		"signed by a stranger":     refused(tlsid.ErrUntrusted, w.stranger.leaf(reviews)),
		"signed by a partner":      refused(tlsid.ErrUntrusted, w.partner.leaf(reviews)),
		"posing as a partner":      {leaf: leafOf(partner), expect: partner, refused: tlsid.ErrUntrusted},
		"without its intermediate": refused(tlsid.ErrUntrusted, incomplete),
		"expired":                  refused(tlsid.ErrUntrusted, leafOf(reviews, expired)),
		"not yet valid":            refused(tlsid.ErrUntrusted, leafOf(reviews, notYetValid)),
		"with two URI SANs":        notSVID(addURI(productpage)),
		"with one URI SAN twice":   notSVID(addURI(reviews)),
		"without a URI SAN":        notSVID(noURI),
		"of another scheme":        notSVID(onlyURI("https://cluster.local/ns/default/sa/reviews")),
		"without a path":           notSVID(onlyURI("spiffe://cluster.local")),
		"a CA as a leaf":           notSVID(isCA),
		"that may sign":            notSVID(maySign),
		"that may revoke":          notSVID(mayRevoke),
		"that may sign nothing":    notSVID(mayNothing),
		"for another use": {
			leaf: leafOf(reviews, usages(x509.ExtKeyUsageCodeSigning)), expect: reviews, refused: tlsid.ErrUntrusted,
			lax: true, // it verifies for any use
		},
	}
}

// The matrix: each peer comes from each library to each, as client and as
// server.
func TestPeersOfGoSpiffeAndOursAgree(t *testing.T) {
	w := newWorld(t)
	for name, peer := range w.peers() {
		guest := w.party(peer.leaf, productpage)
		host := w.party(w.home.leaf(productpage), peer.expect)
		t.Run(name, func(t *testing.T) {
			t.Run("go-spiffe client, our server", func(t *testing.T) {
				m := meet(t, guest.spiffeClient(), host.ourServer())
				peer.judged(t, m, m.server, m.serverError)
			})
			t.Run("go-spiffe server, our client", func(t *testing.T) {
				m := meet(t, host.ourClient(), guest.spiffeServer())
				peer.judged(t, m, m.client, m.clientError)
			})
			if guest.current() == nil {
				peer.unshown(t)
				return
			}
			t.Run("our client, go-spiffe server", func(t *testing.T) {
				peer.judgedBySpiffe(t, meet(t, guest.ourClient(), host.spiffeServer()))
			})
			t.Run("our server, go-spiffe client", func(t *testing.T) {
				peer.judgedBySpiffe(t, meet(t, host.spiffeClient(), guest.ourServer()))
			})
		})
	}
}

// judged checks what tlsid says of the peer.
func (p peer) judged(t *testing.T, m meeting, state tls.ConnectionState, err error) {
	t.Helper()
	if p.refused != nil {
		if !errors.Is(err, p.refused) || m.ok() {
			t.Errorf("got %v, want %v", err, p.refused)
		}
		return
	}
	if !m.ok() {
		t.Fatalf("client: %v, server: %v", m.clientError, m.serverError)
	}
	if id, err := tlsid.PeerOf(state); id.String() != p.expect {
		t.Errorf("the peer is %s, %v, want %s", id, err, p.expect)
	}
}

// unshown checks that only what is no X509-SVID is not shown.
func (p peer) unshown(t *testing.T) {
	t.Helper()
	if !errors.Is(p.refused, tlsid.ErrNotSVID) {
		t.Error("tlsid does not show the certificate")
	}
}

func (p peer) judgedBySpiffe(t *testing.T, m meeting) {
	t.Helper()
	if want := p.refused == nil || p.lax; m.ok() != want {
		t.Errorf("go-spiffe lets it in: %t, want %t (client: %v, server: %v)", m.ok(), want, m.clientError, m.serverError)
	}
}

func usages(of ...x509.ExtKeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.ExtKeyUsage = of }
}

func mayRevoke(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign }

func rsaKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ed25519Key(t *testing.T) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
