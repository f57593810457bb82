package guard

import (
	"crypto/tls"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/inmesh-go/inmesh/tlsid"
)

// peers knows who is at the other end of each connection. It verifies by itself,
// so that it does not matter who has configured the listener; and again whenever
// the roots change, so that a peer that has been removed is refused on a
// connection that is open.
type peers struct {
	own    *tlsid.Current
	verify func(tls.ConnectionState) error
	known  atomic.Pointer[acquaintances]
}

// acquaintances are the verdicts under one set of roots. A connection's state is
// one value as long as it is open, and is the key.
type acquaintances struct {
	roots    tlsid.Bundles
	verdicts sync.Map // *tls.ConnectionState → verdict
	count    atomic.Int64
}

type verdict struct {
	id  tlsid.ID
	err error
}

// maxAcquaintances bounds what is remembered; beyond it all are verified anew.
const maxAcquaintances = 1 << 12

func newPeers(own *tlsid.Current, aliases []tlsid.TrustDomain) *peers {
	config := tlsid.ServerConfig(own, tlsid.Accept{Aliases: aliases, MinVersion: tls.VersionTLS12})
	return &peers{own: own, verify: config.VerifyConnection}
}

// of returns the zero ID for whoever proves nothing, and an error for a peer that
// nobody vouches for (any more).
func (p *peers) of(state *tls.ConnectionState) (tlsid.ID, error) {
	own, ok := p.own.Load()
	if !ok || state == nil || len(state.PeerCertificates) == 0 {
		return tlsid.ID{}, nil
	}
	known := p.under(own.Bundles())
	if v, ok := known.verdicts.Load(state); ok {
		return v.(verdict).id, v.(verdict).err
	}
	v := p.meet(state)
	if _, old := known.verdicts.LoadOrStore(state, v); !old {
		known.count.Add(1)
	}
	return v.id, v.err
}

// under returns the verdicts that hold under these roots.
func (p *peers) under(roots tlsid.Bundles) *acquaintances {
	known := p.known.Load()
	if known != nil && known.roots.Equal(roots) && known.count.Load() < maxAcquaintances {
		return known
	}
	fresh := &acquaintances{roots: roots}
	p.known.CompareAndSwap(known, fresh)
	return fresh
}

func (p *peers) meet(state *tls.ConnectionState) verdict {
	err := p.verify(*state)
	if errors.Is(err, tlsid.ErrNotSVID) { // some other kind of certificate: it names no workload
		return verdict{}
	}
	if err != nil {
		return verdict{err: err}
	}
	id, err := tlsid.PeerOf(*state)
	return verdict{id, err}
}
