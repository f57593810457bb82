package spiffe_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"

	"github.com/inmesh-go/inmesh/tlsid"
	"github.com/inmesh-go/inmesh/tlsid/spiffe"
)

// A pair is productpage, which is ours, and reviews, which is go-spiffe's, with
// all that may change about them.
type pair struct {
	t      *testing.T
	ours   *tlsid.Current
	theirs *rotating
	client *tls.Config
	server *tls.Config
	our    func(meeting) (tls.ConnectionState, error) // end of a meeting
}

// rotating is an SVID, and the bundle, that go-spiffe reads at each handshake.
type rotating struct {
	svid   atomic.Pointer[x509svid.SVID]
	bundle *x509bundle.Bundle
}

func (r *rotating) GetX509SVID() (*x509svid.SVID, error) { return r.svid.Load(), nil }

func newPair(t *testing.T) pair {
	t.Helper()
	domain := spiffeid.RequireTrustDomainFromString("cluster.local")
	return pair{t: t, ours: new(tlsid.Current), theirs: &rotating{bundle: x509bundle.New(domain)}}
}

// ourServer is a pair of which we are the server.
func ourServer(t *testing.T) pair {
	p := newPair(t)
	p.client = tlsconfig.MTLSClientConfig(p.theirs, p.theirs.bundle, tlsconfig.AuthorizeAny())
	p.client.ServerName = "productpage" // names the session
	p.server = tlsid.ServerConfig(p.ours, tlsid.Accept{})
	p.our = func(m meeting) (tls.ConnectionState, error) { return m.server, m.serverError }
	return p
}

// ourClient is a pair of which we are the client; sessions may be nil.
func ourClient(t *testing.T, sessions tls.ClientSessionCache) pair {
	p := newPair(t)
	p.client = tlsid.ClientConfig(p.ours, tlsid.Expect{ServerName: "reviews", Sessions: sessions})
	p.server = tlsconfig.MTLSServerConfig(p.theirs, p.theirs.bundle, tlsconfig.AuthorizeAny())
	p.our = func(m meeting) (tls.ConnectionState, error) { return m.client, m.clientError }
	return p
}

// weAre is what we show, and whom we trust.
func (p pair) weAre(shows leaf, trusted ...*authority) {
	p.t.Helper()
	domain, err := tlsid.ParseTrustDomain("cluster.local")
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := tlsid.NewCredential(tlsCertificate(shows), tlsid.NewBundles(map[tlsid.TrustDomain][]*x509.Certificate{domain: certificates(trusted)}))
	if err != nil {
		p.t.Fatal(err)
	}
	p.ours.Store(c)
}

// theyAre is what they show, and whom they trust.
func (p pair) theyAre(shows leaf, trusted ...*authority) {
	p.theirs.svid.Store(&x509svid.SVID{Certificates: shows.chain, PrivateKey: shows.key})
	p.theirs.bundle.SetX509Authorities(certificates(trusted))
}

func certificates(of []*authority) (all []*x509.Certificate) {
	for _, a := range of {
		all = append(all, a.cert)
	}
	return all
}

// greets lets the two meet, with success.
func (p pair) greets(resumed bool) {
	p.t.Helper()
	m := meet(p.t, p.client, p.server)
	if state, _ := p.our(m); !m.ok() || state.DidResume != resumed {
		p.t.Errorf("resumed: %t, want %t (client: %v, server: %v)", state.DidResume, resumed, m.clientError, m.serverError)
	}
}

// refuses lets the two meet, and us not trust the other.
func (p pair) refuses() {
	p.t.Helper()
	if _, err := p.our(meet(p.t, p.client, p.server)); !errors.Is(err, tlsid.ErrUntrusted) {
		p.t.Errorf("got %v, want ErrUntrusted", err)
	}
}

func TestRootsAreRotatedWithoutAFailure(t *testing.T) {
	for name, p := range map[string]pair{"our server": ourServer(t), "our client": ourClient(t, nil)} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			old, next := newAuthority(t), newAuthority(t)
			us, they := old.leaf(productpage), old.leaf(reviews)
			ourNext, theirNext := next.leaf(productpage), next.leaf(reviews)
			p.weAre(us, old)
			p.theyAre(they, old)
			p.greets(false)
			p.weAre(us, old, next)
			p.greets(false)
			p.theyAre(theirNext, old, next)
			p.greets(false)
			p.weAre(ourNext, old, next)
			p.greets(false)
			p.theyAre(theirNext, next)
			p.weAre(ourNext, next)
			p.greets(false)
			p.theyAre(they, next)
			p.refuses()
		})
	}
}

// A session is worth no more than the roots that vouch for the peer now. Our
// client has its sessions apart for each root set; one that is given a cache
// behind tlsid's back resumes, and refuses all the same.
func TestAPeerWithASessionIsRefusedOnceItsRootIsRemoved(t *testing.T) {
	server, client, careless := ourServer(t), ourClient(t, tls.NewLRUClientSessionCache(0)), ourClient(t, nil)
	server.client.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	careless.client.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	for name, p := range map[string]pair{"our server": server, "our client": client, "our careless client": careless} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			home, other := newAuthority(t), newAuthority(t)
			us := home.leaf(productpage)
			p.weAre(us, home)
			p.theyAre(home.leaf(reviews), home)
			p.greets(false)
			p.greets(true)
			p.weAre(us, other)
			p.refuses()
			p.refuses()
			p.weAre(us, home, other)
			if m := meet(t, p.client, p.server); !m.ok() {
				t.Errorf("the root is back, and yet: %v, %v", m.clientError, m.serverError)
			}
		})
	}
}

func TestAClientWhoseRootIsReplacedGetsInWithItsNewCertificate(t *testing.T) {
	p := ourServer(t)
	p.client.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	old, next := newAuthority(t), newAuthority(t)
	p.weAre(old.leaf(productpage), old, next)
	p.theyAre(old.leaf(reviews), old, next)
	p.greets(false)
	p.greets(true)
	p.theyAre(next.leaf(reviews), old, next)
	p.weAre(next.leaf(productpage), next)
	p.greets(false)
}

func TestTLS12IsSpokenWhenItIsAllowed(t *testing.T) {
	w := newWorld(t)
	us, them := w.party(w.home.leaf(productpage), reviews), w.party(w.home.leaf(reviews), productpage)
	for _, test := range []struct {
		allowed uint16
		ok      bool
	}{{0, false}, {tls.VersionTLS12, true}, {tls.VersionTLS10, true}} {
		theirClient, theirServer := them.spiffeClient(), them.spiffeServer()
		theirClient.MaxVersion, theirServer.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		ourClient := tlsid.ClientConfig(us.current(), tlsid.Expect{MinVersion: test.allowed})
		ourServer := tlsid.ServerConfig(us.current(), tlsid.Accept{MinVersion: test.allowed})
		if m := meet(t, ourClient, theirServer); m.ok() != test.ok {
			t.Errorf("our client from version %#x on: %v, %v, want %t", test.allowed, m.clientError, m.serverError, test.ok)
		}
		if m := meet(t, theirClient, ourServer); m.ok() != test.ok {
			t.Errorf("our server from version %#x on: %v, %v, want %t", test.allowed, m.clientError, m.serverError, test.ok)
		}
	}
}

// go-spiffe's own source and ours follow the same agent through a change of the
// root, and understand each other before and after it.
func TestBothLibrariesFollowOneAgent(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	agent.send(response(root, root.leaf(productpage)))
	w, current := watch(t, spiffe.Config{Addr: agent.addr()}), new(tlsid.Current)
	theirs, err := workloadapi.NewX509Source(t.Context(), workloadapi.WithClientOptions(workloadapi.WithAddr(agent.addr())))
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	for range 3 {
		current.Store(w.credential())
		for name, m := range map[string]meeting{
			"our client": meet(t, tlsid.ClientConfig(current, tlsid.Expect{}), tlsconfig.MTLSServerConfig(theirs, theirs, tlsconfig.AuthorizeAny())),
			"our server": meet(t, tlsconfig.MTLSClientConfig(theirs, theirs, tlsconfig.AuthorizeAny()), tlsid.ServerConfig(current, tlsid.Accept{})),
		} {
			if !m.ok() {
				t.Errorf("%s: %v, %v", name, m.clientError, m.serverError)
			}
		}
		root = newAuthority(t)
		agent.send(response(root, root.leaf(productpage)))
		if err := theirs.WaitUntilUpdated(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
