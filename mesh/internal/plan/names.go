package plan

import (
	"slices"
	"strings"

	"github.com/inmesh-go/inmesh/discovery"
)

// A namer knows how the names of cluster-local services are formed:
// name.namespace.svc.domain.
type namer struct {
	namespace string // of the workload
	suffix    string // ".svc.cluster.local"
}

// canonical expands a short name as Istio does: with the namespace of the rule
// that writes it, never that of the caller. A name with a dot, the wildcard "*"
// and an address stand as they are.
func (n namer) canonical(host, namespace string) string {
	host = normalize(host)
	if strings.ContainsAny(host, ".:") || host == "*" || host == "" {
		return host
	}
	return host + "." + namespace + n.suffix
}

// aliases are the shorter spellings of a canonical host: for
// reviews.prod.svc.cluster.local reviews.prod.svc and reviews.prod, and within
// the namespace prod reviews; "" where there is none. They share the memory of
// the name.
func (n namer) aliases(host string) (out [3]string) {
	name, namespace, ok := n.split(host)
	if !ok {
		return out
	}
	short := len(name) + 1 + len(namespace)
	out[0], out[1] = host[:short], host[:short+len(".svc")]
	if namespace == n.namespace {
		out[2] = name
	}
	return out
}

// split takes a cluster-local host apart.
func (n namer) split(host string) (name, namespace string, ok bool) {
	rest, ok := strings.CutSuffix(host, n.suffix)
	if !ok || strings.HasPrefix(host, "*") {
		return "", "", false
	}
	name, namespace, ok = strings.Cut(rest, ".")
	return name, namespace, ok && name != "" && namespace != "" && !strings.Contains(namespace, ".")
}

// Local reports whether a canonical host is a cluster-local one. Any other may
// just as well be somebody else's, of whom no source of the mesh need know.
func (p *Plan) Local(host string) bool {
	_, _, ok := p.names.split(host)
	return ok
}

// service is what a discovery source is asked for.
func (n namer) service(host string, port uint16) discovery.Service {
	if name, namespace, ok := n.split(host); ok {
		return discovery.Service{Host: host, Name: name, Namespace: namespace, Port: port}
	}
	return discovery.Service{Host: host, Name: host, Port: port}
}

// normalize folds the case of a host and drops its trailing dot, or the brackets
// of an IPv6 address; it allocates only if there is something to fold.
func normalize(host string) string {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if n := len(host) - 1; n > 0 && host[n] == '.' {
		host = host[:n]
	}
	return strings.ToLower(host)
}

// splitPort takes ":port" off an authority. Port 0 means that none is written.
func splitPort(authority string) (host string, port uint16) {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.IndexByte(authority[i:], ']') >= 0 {
		return authority, 0
	}
	n := 0
	for _, c := range []byte(authority[i+1:]) {
		if c < '0' || c > '9' || n > 65535 {
			return authority, 0
		}
		n = n*10 + int(c-'0')
	}
	if n > 65535 {
		return authority, 0
	}
	return authority[:i], uint16(n)
}

// wildcardSuffix returns what a wildcard host ends in: ".example.com" for
// "*.example.com", "" for "*".
func wildcardSuffix(host string) (string, bool) {
	return strings.CutPrefix(host, "*")
}

// wildcards finds the most specific wildcard, the longest suffix, of a name.
type wildcards[T any] struct {
	bySuffix map[string]T
	lengths  []int // of the suffixes, longest first
}

// wildcardsOf indexes those of the hosts that are wildcards.
func wildcardsOf[T any](hosts map[string]T) (w wildcards[T]) {
	for host, value := range hosts {
		if suffix, ok := wildcardSuffix(host); ok {
			w.add(suffix, value)
		}
	}
	w.sort()
	return w
}

func (w *wildcards[T]) add(suffix string, value T) {
	if w.bySuffix == nil {
		w.bySuffix = map[string]T{}
	}
	w.bySuffix[suffix] = value
}

func (w *wildcards[T]) sort() {
	seen := map[int]bool{}
	for suffix := range w.bySuffix {
		if !seen[len(suffix)] {
			seen[len(suffix)] = true
			w.lengths = append(w.lengths, len(suffix))
		}
	}
	slices.Sort(w.lengths)
	slices.Reverse(w.lengths)
}

// find looks up name, which may itself be a wildcard: "*.a.example.com" is
// covered by "*.example.com". A wildcard never covers its bare suffix.
func (w *wildcards[T]) find(name string) (value T, ok bool) {
	for _, n := range w.lengths {
		if n >= len(name) {
			continue
		}
		if value, ok = w.bySuffix[name[len(name)-n:]]; ok {
			return value, true
		}
	}
	return value, false
}
