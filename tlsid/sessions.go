package tlsid

import (
	"crypto/rand"
	"crypto/tls"
	"sync/atomic"
	"time"
)

// handshakeMargin is more than a handshake takes: it is how long net/http waits
// for one.
const handshakeMargin = 10 * time.Second

// ahead is the time by which crypto/tls decides whether a session's certificate
// has expired, in which case it falls back to a full handshake, with a fresh
// certificate. It is early, so that none expires between that decision and
// VerifyConnection, which goes by the true time and would refuse the peer.
// Nothing else that crypto/tls does here depends on more than differences of it.
func ahead() time.Time { return time.Now().Add(handshakeMargin) }

// perRoots keeps one server configuration for each root set in turn, with a
// session ticket key of its own: crypto/tls takes the key of the configuration
// that asks GetConfigForClient where the one that it gets has none set. It is
// built anew, never cloned: a clone would share the key (CVE-2025-68121).
type perRoots struct {
	own   *Current
	build func() *tls.Config
	last  atomic.Pointer[rootsConfig]
}

type rootsConfig struct {
	bundles Bundles
	made    time.Time
	config  *tls.Config
}

// keyLife is how long a session ticket key is used: crypto/tls renews daily only
// keys that it has made itself.
const keyLife = 24 * time.Hour

func (c *rootsConfig) serves(bundles Bundles, now time.Time) bool {
	return c != nil && now.Sub(c.made) < keyLife && c.bundles.Equal(bundles)
}

// config is a GetConfigForClient. Where two handshakes build at the same time
// the loser's configuration serves its one handshake; its tickets open nothing.
func (p *perRoots) config(*tls.ClientHelloInfo) (*tls.Config, error) {
	own, ok := p.own.Load()
	if !ok {
		return nil, ErrNoCredential
	}
	last, now := p.last.Load(), time.Now()
	if last.serves(own.Bundles(), now) {
		return last.config, nil
	}
	next := &rootsConfig{own.Bundles(), now, p.build()}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	next.config.SetSessionTicketKeys([][32]byte{key})
	p.last.CompareAndSwap(last, next)
	return next.config, nil
}

// sessionsOf keeps the sessions of each root set apart: a server that is
// verified by roots that are gone would fail the resumed handshake, where a full
// one shows its new certificate. And those of each identity of our own: a server
// takes a client that resumes for whom it was.
func sessionsOf(own *Current, cache tls.ClientSessionCache) tls.ClientSessionCache {
	if cache == nil {
		return nil
	}
	return sessions{own, cache}
}

type sessions struct {
	own   *Current
	cache tls.ClientSessionCache
}

func (s sessions) Get(key string) (*tls.ClientSessionState, bool) { return s.cache.Get(s.key(key)) }

func (s sessions) Put(key string, state *tls.ClientSessionState) { s.cache.Put(s.key(key), state) }

func (s sessions) key(key string) string {
	own, _ := s.own.Load()
	sum := own.Bundles().sum()
	return string(sum[:]) + own.ID().String() + " " + key
}
