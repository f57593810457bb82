package mesh_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A vault is a Source of the credentials that a test puts in.
type vault struct {
	mu      sync.Mutex
	now     tlsid.Credential
	changed chan struct{} // closed at each change
}

func newVault(c tlsid.Credential) *vault { return &vault{now: c, changed: make(chan struct{})} }

func (v *vault) put(c tlsid.Credential) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = c
	close(v.changed)
	v.changed = make(chan struct{})
}

func (v *vault) look() (tlsid.Credential, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now, v.changed
}

// Watch implements tlsid.Source.
func (v *vault) Watch(ctx context.Context) iter.Seq2[tlsid.Credential, error] {
	return func(yield func(tlsid.Credential, error) bool) {
		for ctx.Err() == nil {
			now, changed := v.look()
			if !yield(now, nil) {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}

// trusting is a credential with the roots of these CAs.
func trusting(c tlsid.Credential, cas ...*tlsid.CA) tlsid.Credential {
	domains := map[tlsid.TrustDomain][]*x509.Certificate{}
	for _, ca := range cas {
		for _, d := range ca.Bundles().Domains() {
			domains[d] = append(domains[d], ca.Bundles().Roots(d)...)
		}
	}
	return c.With(tlsid.NewBundles(domains))
}

func caOf(t testing.TB, domain string) *tlsid.CA {
	t.Helper()
	d, err := tlsid.ParseTrustDomain(domain)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := tlsid.NewCA(tlsid.CAConfig{TrustDomain: d})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// openVault is a house whose credential the test changes; it trusts these CAs.
func openVault(t testing.TB, change func(*mesh.Config), ca *tlsid.CA, more ...*tlsid.CA) (*house, *vault, chan mesh.IdentityInfo) {
	t.Helper()
	v, news := newVault(trusting(issue(t, ca, "reviews"), append(more, ca)...)), make(chan mesh.IdentityInfo, 100)
	b := openIn(t, ca, func(c *mesh.Config) {
		c.Identity = v
		c.Observer.Identity = func(i mesh.IdentityInfo) { news <- i }
		if change != nil {
			change(c)
		}
	}, hello)
	<-news // the first
	return b, v, news
}

// guestOf is a guest of another CA, that trusts the house's.
func (b *house) guestOf(ca *tlsid.CA, account, version string, sessions tls.ClientSessionCache) *guest {
	own := new(tlsid.Current)
	own.Store(trusting(issue(b.t, ca, account), ca, b.ca))
	return b.guestWith(own, version, tlsid.Expect{Sessions: sessions})
}

func TestAPeerWhoseRootIsGoneIsRefused(t *testing.T) {
	ours, theirs := caOf(t, "ours.example"), caOf(t, "theirs.example")
	for _, version := range versions {
		b, v, news := openVault(t, nil, ours, theirs)
		sessions := tls.NewLRUClientSessionCache(0)
		guest, friend := b.guestOf(theirs, "productpage", version, sessions), b.guest("productpage", version)
		later := b.guestOf(theirs, "productpage", version, sessions)
		guest.get("/", 200)
		friend.get("/", 200)
		later.get("/", 200) // resumes the session

		v.put(trusting(issue(t, ours, "reviews"), ours))
		<-news
		guest.getAgain("/", 403)
		guest.get("/", 0)
		later.client.CloseIdleConnections()
		later.get("/", 0)
		b.guestOf(theirs, "productpage", version, nil).get("/", 0)
		friend.getAgain("/", 200)
		if told := b.diary.takeAccess(); len(told) != 1 || !strings.Contains(told[0].Reason, "there are no roots of trust domain theirs.example") {
			t.Errorf("told %+v", told)
		}
	}
}

func TestPeersOfAnAliasComeIn(t *testing.T) {
	ours, theirs := caOf(t, "ours.example"), caOf(t, "theirs.example")
	b, v, news := openVault(t, func(c *mesh.Config) { c.TrustDomainAliases = []string{"theirs.example"} }, ours)
	g := b.guestOf(theirs, "productpage", http2, nil)
	g.get("/", 0) // the alias alone vouches for nobody
	roots := append(ours.Bundles().Roots(ours.Bundles().Domains()[0]), theirs.Bundles().Roots(theirs.Bundles().Domains()[0])...)
	own, _ := v.look()
	v.put(own.With(tlsid.NewBundles(map[tlsid.TrustDomain][]*x509.Certificate{own.ID().TrustDomain(): roots})))
	<-news
	b.obey(only("ours.example/ns/default/sa/productpage")) // a principal of one domain is that of its aliases
	if a := g.get("/", 200); a.body != "/ spiffe://theirs.example/ns/default/sa/productpage" {
		t.Errorf("the handler sees %q", a.body)
	}
	b.guestOf(theirs, "ratings", http2, nil).get("/", 403)
}

func TestAnExpiredPeerIsRefused(t *testing.T) {
	for _, version := range versions {
		shortLived(t, func(t *testing.T, ca *tlsid.CA) {
			g := openInside(t, ca, nil, hello).guest("productpage", version)
			g.get("/", 200)
			g.outlive()
			g.getAgain("/", 200) // what it has proven, it has proven; but the connection is over
			g.get("/", 0)
		})
	}
}

// shortLived runs f in paused time, with a CA whose certificates last for an hour.
func shortLived(t *testing.T, f func(*testing.T, *tlsid.CA)) {
	synctest.Test(t, func(t *testing.T) {
		ca, err := tlsid.NewCA(tlsid.CAConfig{LeafLifetime: time.Hour, Announce: 45 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { time.Sleep(time.Minute) }) // TLS says goodbye to whom no longer listens
		f(t, ca)
	})
}

// outlive waits until the guest's certificate has expired.
func (g *guest) outlive() {
	own, _ := g.own.Load()
	time.Sleep(time.Until(own.NotAfter().Add(time.Second)))
}

// Who asks for another protocol each time, and is not given it, keeps no connection
// for longer than its certificate.
func TestAnExpiredPeerCannotUpgradeForEver(t *testing.T) {
	shortLived(t, func(t *testing.T, ca *tlsid.CA) {
		g := openInside(t, ca, nil, hello).guest("productpage", http1)
		const upgrade = "Upgrade: websocket"
		g.get("/", 200, "Connection: Upgrade", upgrade)
		g.outlive()
		g.getAgain("/", 200, "Connection: Upgrade", upgrade)
		g.get("/", 0, "Connection: Upgrade", upgrade)
	})
}

// Credentials of both sides change many times, and the root of both once, until
// the old one is gone, while requests go on. None fails.
func TestRotationLosesNoRequest(t *testing.T) {
	shortLived(t, func(t *testing.T, ca *tlsid.CA) {
		news := make(chan mesh.IdentityInfo, 1000)
		b := openInside(t, ca, func(c *mesh.Config) { c.Observer.Identity = func(i mesh.IdentityInfo) { news <- i } }, hello, only(pageID))
		own, stop := b.followed("productpage")
		defer stop()
		ctx, cancel := context.WithCancel(t.Context())
		var load sync.WaitGroup
		var done [4]int
		for i := range done {
			g := b.guestWith(own, versions[i%2], tlsid.Expect{Sessions: tls.NewLRUClientSessionCache(0)})
			load.Go(func() {
				for ; ctx.Err() == nil; done[i]++ {
					if a := g.send("GET", "/"); a.status != 200 {
						t.Errorf("%d %q (%v)", a.status, a.body, a.err)
					}
					time.Sleep(time.Minute)
				}
			})
		}
		old := ca.Bundles()
		if err := ca.Rotate(); err != nil {
			t.Fatal(err)
		}
		for rotations := 0; rotations < 10 || both(old, ca.Bundles()); rotations++ {
			<-news
		}
		cancel()
		load.Wait()
		t.Logf("%d requests", done)
	})
}

// both reports whether a root of old is still among those of now.
func both(old, now tlsid.Bundles) bool {
	domain := old.Domains()[0]
	return slices.ContainsFunc(now.Roots(domain), old.Roots(domain)[0].Equal)
}

// followed is an account's credential, renewed until stop.
func (b *house) followed(account string) (own *tlsid.Current, stop func()) {
	own = new(tlsid.Current)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	first := make(chan struct{})
	running.Go(func() {
		for c, err := range b.ca.Workload(account).Watch(ctx) {
			if err != nil {
				b.t.Error(err)
				continue
			}
			_, known := own.Load()
			own.Store(c)
			if !known {
				close(first)
			}
		}
	})
	<-first
	return own, func() {
		cancel()
		running.Wait()
	}
}
