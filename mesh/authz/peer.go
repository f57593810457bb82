package authz

import (
	"slices"
	"strings"
)

// peer is a condition on the identity that the caller has proven. A plaintext
// caller has none, and matches nothing.
type peer []identity

// An identity matches SPIFFE IDs, by trust domain and path: cluster.local and
// /ns/default/sa/reviews. It never sees the text of an ID in one piece, so that
// a trust domain called ns is no namespace, and nothing is put together per
// request.
type identity interface {
	matches(trustDomain, path string) bool
}

func (want peer) holds(r *Request) bool {
	if r.Peer.IsZero() {
		return false
	}
	trustDomain, path := r.Peer.TrustDomain().String(), r.Peer.Path()
	for _, w := range want {
		if w.matches(trustDomain, path) {
			return true
		}
	}
	return false
}

// A principal is an ID as policies write it, without spiffe://: exact, a prefix
// (cluster.local/ns/default/*), a suffix (*/sa/reviews), or * for any.
type principal struct {
	kind   kind
	domain string // of exact and prefix: what stands before the first slash
	path   string // and from it on
	text   string // of suffix: all of it
}

func newPrincipal(s string) principal {
	p := newPattern(s)
	domain, rest, found := strings.Cut(p.text, "/")
	if found {
		rest = "/" + rest
	}
	return principal{p.kind, domain, rest, p.text}
}

func (p principal) matches(domain, path string) bool {
	switch p.kind {
	case prefix:
		if p.path == "" {
			return strings.HasPrefix(domain, p.domain)
		}
		return domain == p.domain && strings.HasPrefix(path, p.path)
	case suffix:
		return hasSuffix(domain, path, p.text)
	case present:
		return true
	}
	return domain == p.domain && path == p.path
}

// hasSuffix is strings.HasSuffix(a+b, s).
func hasSuffix(a, b, s string) bool {
	if len(s) <= len(b) {
		return strings.HasSuffix(b, s)
	}
	return strings.HasSuffix(s, b) && strings.HasSuffix(a, s[:len(s)-len(b)])
}

func compilePrincipals(l list) condition {
	var out peer
	for _, v := range l.values {
		for _, name := range l.c.expand(v) {
			out = append(out, newPrincipal(name))
		}
	}
	return out
}

// expand returns the principal in all trust domains that are the mesh's: "Only
// […] if the extracted trust domain from the policy is part of the trust domain
// list, or if the extracted/existing trust domain is "cluster.local", which is a
// pointer to the local trust domain and its aliases" (Istio,
// pilot/pkg/security/trustdomain/bundle.go). It looks at principals of five
// parts only: cluster.local/ns/default/sa/reviews.
func (c *compiler) expand(name string) []string {
	domain, path, _ := strings.Cut(name, "/")
	if strings.Count(path, "/") != 3 || !c.ours(domain) && domain != defaultTrustDomain {
		return []string{name}
	}
	out := make([]string, 0, len(c.trustDomains))
	for _, td := range c.trustDomains {
		out = append(out, td+"/"+path)
	}
	return out
}

func (c *compiler) ours(domain string) bool { return slices.Contains(c.trustDomains, domain) }

// A trustDomain is a pattern for the first part of an ID.
type trustDomain struct{ pattern }

func (t trustDomain) matches(domain, _ string) bool { return t.pattern.matches(domain) }

// compileTrustDomains takes the name of one of the mesh's trust domains for all
// of them, as Istio does (ExpandTrustDomainAliases).
func compileTrustDomains(l list) condition {
	var out peer
	for _, v := range l.values {
		names := []string{v}
		if l.c.ours(v) {
			names = l.c.trustDomains
		}
		for _, name := range names {
			out = append(out, trustDomain{newPattern(name)})
		}
	}
	return out
}

// A namespace is what stands between /ns/ and the next slash, wherever that is
// in the path; each star in it is a wildcard. Istio matches the expression
// .*/ns/<value>/.* with the dot for any byte, a slash too.
type namespace glob

func (n namespace) matches(_, path string) bool { return glob(n).matches(path) }

func compileNamespaces(l list) condition {
	var out peer
	for _, v := range l.values {
		out = append(out, namespace(newGlob("*/ns/"+v+"/*")))
	}
	return out
}

// A glob is the literals between the stars of a pattern.
type glob []string

func newGlob(s string) glob { return strings.Split(s, "*") }

func (g glob) matches(s string) bool {
	last := len(g) - 1
	s, ok := strings.CutPrefix(s, g[0])
	for i := 1; ok && i < last; i++ {
		_, s, ok = strings.Cut(s, g[i])
	}
	return ok && strings.HasSuffix(s, g[last])
}

// A serviceAccount has Istio's expression spiffe://.+/ns/NS/(.+/|)sa/SA(/.+)?
// for its meaning: other segments may stand between the two, and after them.
type serviceAccount struct {
	namespace string // /ns/NS/
	account   string // sa/SA
}

func (a serviceAccount) matches(_, path string) bool {
	for {
		i := strings.Index(path, a.namespace)
		if i < 0 {
			return false
		}
		end := i + len(a.namespace)
		if hasSegments(path[end:], a.account) {
			return true
		}
		path = path[end-1:] // the slash may begin the next
	}
}

// hasSegments reports whether whole segments of path are want: sa/reviews.
func hasSegments(path, want string) bool {
	for {
		if after, ok := strings.CutPrefix(path, want); ok && (after == "" || after[0] == '/') {
			return true
		}
		var ok bool
		if _, path, ok = strings.Cut(path, "/"); !ok {
			return false
		}
	}
}

// compileServiceAccounts reads [namespace/]account; the namespace is the
// policy's where none is written.
func compileServiceAccounts(l list) condition {
	var out peer
	for _, v := range l.values {
		namespace, account, ok := strings.Cut(v, "/")
		if !ok {
			namespace, account = l.c.policy.Namespace, v
		}
		out = append(out, serviceAccount{"/ns/" + namespace + "/", "sa/" + account})
	}
	return out
}
