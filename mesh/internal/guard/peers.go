package guard

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/inmesh-go/inmesh/tlsid"
)

// peers knows who is at the other end of each connection. It verifies by itself,
// so that it does not matter who has configured the listener; and again whenever
// the roots change, so that a peer that has been removed is refused on a
// connection that is open.
type peers struct {
	own     *tlsid.Current
	aliases []tlsid.TrustDomain

	mu  sync.RWMutex // guards met
	met map[connection]*acquaintance
}

// A connection is known by the place of its peer's first certificate, which is one
// in all copies of its TLS state: net/http makes one for each HTTP/2 request of
// scheme http. What is known of the connection goes when its last state does.
type connection = weak.Pointer[*x509.Certificate]

// An acquaintance is the peer of one connection.
type acquaintance struct{ verdict atomic.Pointer[verdict] }

// A verdict is what these roots say of a peer.
type verdict struct {
	roots tlsid.Bundles
	id    tlsid.ID
	err   error
	since time.Time // when the peer was verified first, on this connection
	age   time.Time // from when on the peer should connect anew; zero: at no time
	end   time.Time // of its certificate; zero: it has none that says anything
}

func newPeers(own *tlsid.Current, aliases []tlsid.TrustDomain) *peers {
	return &peers{own: own, aliases: aliases, met: map[connection]*acquaintance{}}
}

// nobody is the verdict on whoever proves nothing.
var nobody = new(verdict)

// of returns the verdict on who is at the other end; its err is that nobody
// vouches for the peer (any more).
func (p *peers) of(state *tls.ConnectionState) *verdict {
	own, ok := p.own.Load()
	if !ok || state == nil || len(state.PeerCertificates) == 0 {
		return nobody
	}
	a := p.meet(state)
	v := a.verdict.Load()
	if v == nil || !v.roots.Equal(own.Bundles()) {
		v = p.judge(own, state, v)
		a.verdict.Store(v)
	}
	return v
}

// aged reports whether the connection should give way to a new one. The peer
// renews its certificate and goes on with the connections that it has; when the
// roots go that have vouched for the old one, these would be refused. So they are
// over when three quarters have passed of the time that the certificate had left:
// then there is a new one (all renew theirs earlier), and the old root is there.
func (v *verdict) aged(now time.Time) bool { return !v.age.IsZero() && now.After(v.age) }

func (v *verdict) expired(now time.Time) bool { return !v.end.IsZero() && now.After(v.end) }

func (p *peers) meet(state *tls.ConnectionState) *acquaintance {
	leaf := &state.PeerCertificates[0]
	key := weak.Make(leaf)
	p.mu.RLock()
	a := p.met[key]
	p.mu.RUnlock()
	if a == nil {
		a = p.enter(key, leaf)
	}
	return a
}

func (p *peers) enter(key connection, leaf **x509.Certificate) *acquaintance {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.met[key]; a != nil {
		return a
	}
	a := new(acquaintance)
	p.met[key] = a
	runtime.AddCleanup(leaf, p.forget, key)
	return a
}

func (p *peers) forget(key connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.met, key)
}

// judge holds a peer to the roots of own. Some other kind of certificate names no
// workload, and so says nothing.
func (p *peers) judge(own tlsid.Credential, state *tls.ConnectionState, before *verdict) *verdict {
	v := &verdict{roots: own.Bundles(), since: time.Now()}
	v.err = p.verify(own, state)
	if errors.Is(v.err, tlsid.ErrNotSVID) {
		v.err = nil
		return v
	}
	v.id, _ = tlsid.PeerOf(*state) // verify has called it
	v.end = state.PeerCertificates[0].NotAfter
	v.age = v.since.Add(v.end.Sub(v.since) / 4 * 3)
	if before == nil || before.err != nil {
		return v
	}
	v.since, v.age = before.since, before.age
	if v.err != nil && p.vouched(own, v.id, state.PeerCertificates, v.since) {
		v.err = nil
	}
	return v
}

// verify is what a handshake does, by this credential.
func (p *peers) verify(own tlsid.Credential, state *tls.ConnectionState) error {
	var pinned tlsid.Current
	pinned.Store(own)
	config := tlsid.ServerConfig(&pinned, tlsid.Accept{Aliases: p.aliases, MinVersion: tls.VersionTLS12})
	return config.VerifyConnection(*state)
}

// vouched asks the roots about a chain as of the time when it was presented.
// Certificates live shorter than connections: a peer that has renewed its own
// long ago must not be refused, on a connection from before, only because a root
// was added today.
func (p *peers) vouched(own tlsid.Credential, id tlsid.ID, chain []*x509.Certificate, at time.Time) bool {
	domain, bundles := id.TrustDomain(), own.Bundles()
	if slices.Contains(p.aliases, domain) && !slices.Contains(bundles.Domains(), domain) {
		domain = own.ID().TrustDomain()
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: pool(bundles.Roots(domain)), Intermediates: pool(chain[1:]),
		CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err == nil
}

func pool(of []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range of {
		p.AddCert(c)
	}
	return p
}
