package consulca

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/internal/blocking"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A Config says whose identity is wanted.
type Config struct {
	// Service is the name of the service in Consul. Needed. It does not have to be
	// registered.
	Service string
	// Namespace and Partition are those of Consul Enterprise. "": the client's.
	Namespace, Partition string
}

// A Source is a tlsid.Source that follows the leaf of a service and the roots of
// its cluster.
type Source struct {
	client *api.Client
	config Config
}

// New returns the source of the credentials of a service. The client says where
// the agent is, and with which token it is asked.
func New(client *api.Client, service string) *Source {
	return NewSource(client, Config{Service: service})
}

// NewSource returns the source that c describes. It does not wait for the agent.
func NewSource(client *api.Client, c Config) *Source { return &Source{client, c} }

// Watch implements tlsid.Source.
func (s *Source) Watch(ctx context.Context) iter.Seq2[tlsid.Credential, error] {
	return func(yield func(tlsid.Credential, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer stop()
		heard := make(chan part)
		running.Go(func() { follow(ctx, s.blocking(), "leaf", s.leaf, heard) })
		running.Go(func() { follow(ctx, s.blocking(), "roots", s.roots, heard) })
		relay := relay{yield: yield}
		relay.run(ctx, heard)
	}
}

func (s *Source) blocking() blocking.Config {
	return blocking.Config{Options: api.QueryOptions{Namespace: s.config.Namespace, Partition: s.config.Partition}}
}

// A part is what an agent has said: a leaf, or roots, or trouble with either.
type part struct {
	what  string
	leaf  *leaf
	roots *roots
	err   error
}

func (s *Source) leaf(o *api.QueryOptions) (part, *api.QueryMeta, error) {
	answer, meta, err := s.client.Agent().ConnectCALeaf(s.config.Service, o)
	if err != nil {
		return part{}, nil, err
	}
	l, err := parseLeaf(answer)
	return part{leaf: l}, meta, err
}

func (s *Source) roots(o *api.QueryOptions) (part, *api.QueryMeta, error) {
	answer, meta, err := s.client.Agent().ConnectCARoots(o)
	if err != nil {
		return part{}, nil, err
	}
	r, err := parseRoots(answer)
	return part{roots: r}, meta, err
}

// follow sends what the agent says of one part.
func follow(ctx context.Context, c blocking.Config, what string, ask blocking.Query[part], heard chan<- part) {
	for answer, err := range blocking.Watch(ctx, c, ask) {
		p := answer.Value
		p.what = what
		if err != nil {
			p = part{what: what, err: fmt.Errorf("consulca: %s: %w", what, err)}
		}
		select {
		case heard <- p:
		case <-ctx.Done():
			return
		}
	}
}
