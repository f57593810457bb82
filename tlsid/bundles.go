package tlsid

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bundles are the root certificates of each trust domain that a workload
// trusts. They do not change; the zero Bundles trust nobody. Copies are cheap
// and share what they hold.
type Bundles struct{ set *rootSet }

type rootSet struct {
	domains map[TrustDomain]roots
	sum     [sha256.Size]byte // of all domains and their roots
}

type roots struct {
	certificates []*x509.Certificate
	pool         *x509.CertPool
}

// NewBundles returns the bundles that hold the given roots, without the
// duplicates. It copies the map and the slices; the certificates must not
// change any more. A trust domain without roots is trusted by nobody, which is
// not the same as one that is absent where there are aliases, see Expect.
func NewBundles(of map[TrustDomain][]*x509.Certificate) Bundles {
	set := &rootSet{domains: make(map[TrustDomain]roots, len(of))}
	for domain, certificates := range of {
		set.domains[domain] = newRoots(certificates)
	}
	set.sum = set.fingerprint()
	return Bundles{set}
}

func newRoots(of []*x509.Certificate) roots {
	sorted := slices.SortedFunc(slices.Values(of), compareRaw)
	sorted = slices.CompactFunc(sorted, (*x509.Certificate).Equal)
	pool := x509.NewCertPool()
	for _, c := range sorted {
		pool.AddCert(c)
	}
	return roots{sorted, pool}
}

// Roots returns the root certificates of a trust domain, in an order of their
// own; none where the domain is unknown. The caller may keep the slice.
func (b Bundles) Roots(domain TrustDomain) []*x509.Certificate {
	return slices.Clone(b.of(domain).certificates)
}

// Domains returns the trust domains, sorted.
func (b Bundles) Domains() []TrustDomain {
	if b.set == nil {
		return nil
	}
	return slices.SortedFunc(maps.Keys(b.set.domains), TrustDomain.compare)
}

// Equal reports whether both hold the same roots for the same trust domains. It
// compares fingerprints, and allocates nothing.
func (b Bundles) Equal(o Bundles) bool { return b.sum() == o.sum() }

// String names the trust domains and how many roots each has.
func (b Bundles) String() string {
	var text []string
	for _, d := range b.Domains() {
		text = append(text, fmt.Sprintf("%s: %d", d, len(b.of(d).certificates)))
	}
	return "roots{" + strings.Join(text, ", ") + "}"
}

func (b Bundles) of(domain TrustDomain) roots {
	r, _ := b.lookup(domain)
	return r
}

func (b Bundles) lookup(domain TrustDomain) (roots, bool) {
	if b.set == nil {
		return roots{}, false
	}
	r, ok := b.set.domains[domain]
	return r, ok
}

func (b Bundles) sum() [sha256.Size]byte {
	if b.set == nil || len(b.set.domains) == 0 {
		return [sha256.Size]byte{}
	}
	return b.set.sum
}

// fingerprint hashes names and certificates with their lengths before them, so
// that no two sets read the same.
func (s *rootSet) fingerprint() (sum [sha256.Size]byte) {
	hash := sha256.New()
	write := func(b []byte) {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		hash.Write(b)
	}
	for _, d := range slices.SortedFunc(maps.Keys(s.domains), TrustDomain.compare) {
		write([]byte(d.name))
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s.domains[d].certificates))))
		for _, c := range s.domains[d].certificates {
			write(c.Raw)
		}
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

func compareRaw(a, b *x509.Certificate) int { return bytes.Compare(a.Raw, b.Raw) }
