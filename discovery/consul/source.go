package consul

import (
	"context"
	"iter"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery"
)

// A Source is a discovery.Source that follows Consul's catalogue and the checks
// in it. All who watch the same service share one query. It is safe for
// concurrent use, and there is nothing to close.
type Source struct {
	source  discovery.Source
	watches *watches
}

// Discovery is NewSource with the zero Config: services of the datacenter,
// namespace and partition of the client, as they are registered. It names no
// identities, so that a mesh speaks to them in plaintext: see Config.Connect.
func Discovery(client *api.Client) *Source {
	return newSource(client, Config{}.withDefaults())
}

// NewSource returns the source that c describes. The client says where the agent
// is, with which token it is asked, and over what TLS. The error is that of a
// Config that is out of bounds; the agent is not asked yet.
func NewSource(client *api.Client, c Config) (*Source, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	return newSource(client, c.withDefaults()), nil
}

func newSource(client *api.Client, c Config) *Source {
	w := &watches{all: map[*state]bool{}}
	return &Source{discovery.Share(hold(&registry{client, c, w}, c.Hold)), w}
}

// hold makes an empty answer be believed late. Consul says "nobody" in the same
// words when it has restarted, and when a token has lost its permissions.
func hold(source discovery.Source, d time.Duration) discovery.Source {
	if d < 0 {
		return source
	}
	return discovery.Hold(source, d)
}

// Watch implements discovery.Source.
func (s *Source) Watch(ctx context.Context, service discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return s.source.Watch(ctx, service)
}

// Status is how the services that are watched stand, by host: how old what is
// known of each is, above all.
func (s *Source) Status() []Status { return s.watches.list() }
