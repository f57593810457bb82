package tlsid

import (
	"crypto/x509"
	"slices"
	"time"
)

// A view is what a CA is at one moment.
type view struct {
	domain  TrustDomain
	signer  *root
	bundles Bundles
	changes time.Time // by themselves; zero: never
	over    <-chan struct{}
}

func (ca *CA) view(now time.Time) view {
	g := ca.live.Load()
	trusted, _ := g.lineage.trusted(ca.config, now)
	changes, _ := g.lineage.next(ca.config, now)
	bundles := NewBundles(map[TrustDomain][]*x509.Certificate{ca.config.TrustDomain: trusted})
	return view{ca.config.TrustDomain, g.lineage.signer(now), bundles, changes, g.over}
}

// trusts reports whether leaves of r are trusted.
func (v view) trusts(r *root) bool {
	roots := v.bundles.of(v.domain).certificates
	return slices.ContainsFunc(roots, r.certificate.Equal)
}

// wallClock is the time without the reading of the monotonic clock, which may
// stand still while the machine sleeps; certificates expire all the same.
func wallClock() time.Time { return time.Now().Round(0) }
