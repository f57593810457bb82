package discovery

import (
	"context"
	"errors"
	"iter"
)

// A Service names what a Source is asked for.
type Service struct {
	// Host is the canonical host: lower case, no trailing dot, such as
	// "reviews.default.svc.cluster.local" or "api.example.com".
	Host string
	// Name and Namespace are the parts of a cluster-local Host ("reviews",
	// "default"). For any other host Name equals Host and Namespace is "".
	Name, Namespace string
	// Port is the service port asked for; 0 means the service's only port.
	// A source whose endpoints carry their own ports may ignore it.
	Port uint16
}

// Aliases are the names by which people write the service, the most specific
// first: the Host, then for cluster-local hosts name.namespace and name.
func (s Service) Aliases() []string {
	if s.Namespace == "" {
		return []string{s.Host}
	}
	return []string{s.Host, s.Name + "." + s.Namespace, s.Name}
}

// ErrUnknown is yielded (wrapped) by a Source that does not know a service. The
// mesh lets requests to such a host pass through unchanged, or refuses them
// where its outbound policy says so.
var ErrUnknown = errors.New("unknown service")

// A Source says where services live.
//
// Watch yields the whole set of a service's endpoints, never a delta, at once
// and after each change, until ctx ends. An error is news, not the end: the
// last good set stands, and the sequence goes on. A sequence that ends while
// ctx lives is started again by its follower, with back-off. Endpoints come in
// any order; addresses are unique within a set. Watch is safe for concurrent
// use, and the yielded slices are never changed afterwards.
type Source interface {
	Watch(ctx context.Context, s Service) iter.Seq2[[]Endpoint, error]
}
