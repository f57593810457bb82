package tlsid

import (
	"errors"
	"fmt"
	"strings"
)

// MaxTrustDomainBytes is the longest name of a trust domain.
//
// SPIFFE-ID §2.3: "a maximum length of a trust domain name is 255 bytes."
const MaxTrustDomainBytes = 255

// A TrustDomain is the name of a system of workloads that share roots, such as
// "cluster.local". It is comparable and valid; the zero TrustDomain is none.
type TrustDomain struct{ name string }

// ParseTrustDomain returns the trust domain with the given name: one to 255
// bytes of a-z, 0-9, '.', '-' and '_'. Upper case is refused, not folded, so
// that each trust domain has one spelling.
//
// SPIFFE-ID §2.1: "The host part of the authority MUST be lowercase."
func ParseTrustDomain(name string) (TrustDomain, error) {
	if err := checkTrustDomain(name); err != nil {
		return TrustDomain{}, fmt.Errorf("trust domain %s: %w", quote(name), err)
	}
	return TrustDomain{name}, nil
}

// String returns the name, "" for none.
func (d TrustDomain) String() string { return d.name }

// IsZero reports whether d is none.
func (d TrustDomain) IsZero() bool { return d.name == "" }

// MarshalText returns the name, and never fails.
func (d TrustDomain) MarshalText() ([]byte, error) { return []byte(d.name), nil }

func (d TrustDomain) compare(o TrustDomain) int { return strings.Compare(d.name, o.name) }

func checkTrustDomain(name string) error {
	if name == "" {
		return errors.New("the name is empty")
	}
	if len(name) > MaxTrustDomainBytes {
		return fmt.Errorf("the name has %d bytes, more than %d", len(name), MaxTrustDomainBytes)
	}
	if i := strings.IndexFunc(name, notOfTrustDomain); i >= 0 {
		return fmt.Errorf("character %q at byte %d is not one of a-z 0-9 . - _", name[i], i)
	}
	return nil
}

func notOfTrustDomain(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
}
