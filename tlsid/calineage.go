package tlsid

import (
	"crypto/x509"
	"slices"
	"time"
)

// A lineage is the roots of a CA, the oldest first; there is at least one. What
// each is good for follows from the time alone, so that all processes that know
// the same roots agree:
//
//	announced   trusted, and does not sign until all have heard of it
//	signing     the newest whose time to sign has come
//	succeeded   trusted until the last leaf that it signed has expired
//	retired     not trusted any more
type lineage []*root

// same reports whether both are the same roots, though read twice.
func (l lineage) same(o lineage) bool {
	return slices.EqualFunc(l, o, func(a, b *root) bool { return a.certificate.Equal(b.certificate) })
}

// signer is the root that signs at a time.
func (l lineage) signer(now time.Time) *root {
	for i := len(l) - 1; i > 0; i-- {
		if !now.Before(l[i].signsFrom) {
			return l[i]
		}
	}
	return l[0]
}

// newest is the root that signs, or will.
func (l lineage) newest() *root { return l[len(l)-1] }

// retires is when root i retires; false while it has no successor. Those that
// hear of the successor late, by as much as Announce, are waited for.
func (l lineage) retires(i int, c CAConfig) (time.Time, bool) {
	if i == len(l)-1 {
		return time.Time{}, false
	}
	lastLeaf := l[i+1].signsFrom.Add(c.LeafLifetime + time.Second)
	return lastLeaf.Add(c.Announce), true
}

// trusted is the roots that have not retired, and retired is how many have.
func (l lineage) trusted(c CAConfig, now time.Time) (roots []*x509.Certificate, retired int) {
	for i, r := range l {
		if at, ok := l.retires(i, c); ok && !now.Before(at) {
			retired++
			continue
		}
		roots = append(roots, r.certificate)
	}
	return roots, retired
}

// next is when signer or trusted change by themselves; false: never.
func (l lineage) next(c CAConfig, now time.Time) (next time.Time, ok bool) {
	for i, r := range l {
		next, ok = earlier(next, ok, r.signsFrom, now)
		if at, retires := l.retires(i, c); retires {
			next, ok = earlier(next, ok, at, now)
		}
	}
	return next, ok
}

// earlier is the earlier of a time, if there is one, and of another that counts
// only after now.
func earlier(than time.Time, ok bool, t, now time.Time) (time.Time, bool) {
	if t.After(now) && (!ok || t.Before(than)) {
		return t, true
	}
	return than, ok
}
