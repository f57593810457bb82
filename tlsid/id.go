package tlsid

import (
	"errors"
	"fmt"
	"strings"
)

// MaxIDBytes is the longest ID.
//
// SPIFFE-ID §2.3: "SPIFFE implementations MUST support SPIFFE URIs up to 2048
// bytes in length and SHOULD NOT generate URIs of length greater than 2048
// bytes." Longer ones are refused.
const MaxIDBytes = 2048

const scheme = "spiffe://"

// An ID is the identity of a workload or, without a path, of a trust domain: a
// SPIFFE ID, such as spiffe://cluster.local/ns/default/sa/reviews. It is
// comparable and valid; the zero ID is none.
type ID struct {
	domain TrustDomain
	path   string
}

// ParseID returns the ID that s spells. There is one spelling for each ID:
// upper case in the scheme or the trust domain is refused, as are a user, a
// port, a query, a fragment, percent-encoding, empty segments, "." and "..".
// What it refuses it says, with the offending byte.
//
// SPIFFE-ID §2.4 calls scheme and trust domain case-insensitive, §2.1 says that
// the latter "MUST be lowercase". Whoever compares names as text, a policy for
// example, is safe only with the stricter of the two.
func ParseID(s string) (ID, error) {
	id, err := parseID(s)
	if err != nil {
		return ID{}, fmt.Errorf("SPIFFE ID %s: %w", quote(s), err)
	}
	return id, nil
}

// ForWorkload returns the ID that Istio gives to a service account:
// spiffe://<domain>/ns/<namespace>/sa/<account>.
func ForWorkload(domain TrustDomain, namespace, account string) (ID, error) {
	for _, name := range []string{namespace, account} {
		if strings.Contains(name, "/") {
			return ID{}, fmt.Errorf("workload name %s: '/' is not allowed in it", quote(name))
		}
	}
	return ParseID(scheme + domain.name + "/ns/" + namespace + "/sa/" + account)
}

// TrustDomain returns the trust domain that vouches for the ID.
func (id ID) TrustDomain() TrustDomain { return id.domain }

// Path returns what follows the trust domain: "", or segments that each begin
// with a slash.
func (id ID) Path() string { return id.path }

// IsZero reports whether id is none.
func (id ID) IsZero() bool { return id.domain.IsZero() }

// String returns the ID as ParseID takes it, "" for none.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return scheme + id.domain.name + id.path
}

// MarshalText returns what String does, and never fails.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// Workload returns the namespace and the service account of an ID of the form
// that ForWorkload builds; of another form ok is false.
func (id ID) Workload() (namespace, account string, ok bool) {
	rest, isNamespaced := strings.CutPrefix(id.path, "/ns/")
	namespace, rest, _ = strings.Cut(rest, "/")
	account, isAccount := strings.CutPrefix(rest, "sa/")
	if !isNamespaced || !isAccount || strings.Contains(account, "/") {
		return "", "", false
	}
	return namespace, account, true
}

func parseID(s string) (ID, error) {
	if len(s) > MaxIDBytes {
		return ID{}, fmt.Errorf("it has %d bytes, more than %d", len(s), MaxIDBytes)
	}
	rest, ok := strings.CutPrefix(s, scheme)
	if !ok {
		return ID{}, fmt.Errorf("it does not begin with %s", scheme)
	}
	name, path, hasPath := strings.Cut(rest, "/")
	if err := checkTrustDomain(name); err != nil {
		return ID{}, fmt.Errorf("trust domain: %w", err)
	}
	if !hasPath {
		return ID{domain: TrustDomain{name}}, nil
	}
	return ID{TrustDomain{name}, rest[len(name):]}, checkPath(path)
}

// checkPath takes a path without its first slash.
func checkPath(path string) error {
	if path == "" || strings.HasSuffix(path, "/") {
		return errors.New("path: it ends with a slash")
	}
	for segment := range strings.SplitSeq(path, "/") {
		if err := checkSegment(segment); err != nil {
			return fmt.Errorf("path: %w", err)
		}
	}
	return nil
}

func checkSegment(s string) error {
	switch s {
	case "":
		return errors.New("a segment is empty")
	case ".", "..":
		return fmt.Errorf("a segment is %q", s)
	}
	if i := strings.IndexFunc(s, notOfSegment); i >= 0 {
		return fmt.Errorf("character %q at byte %d of segment %s is not one of a-z A-Z 0-9 . - _", s[i], i, quote(s))
	}
	return nil
}

func notOfSegment(r rune) bool { return notOfTrustDomain(r) && !(r >= 'A' && r <= 'Z') }

// quote keeps messages short, and one line, whatever a peer has sent.
func quote(s string) string {
	const most = 100
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
