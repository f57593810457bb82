package spiffe

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/inmesh-go/inmesh/tlsid"
)

// ErrDenied is yielded (wrapped) when the agent has no identity for this
// process, or no longer, or not yet: none of its entries selects it.
var ErrDenied = errors.New("the agent has no identity for this process")

// A Config says where the agent is, and which of its identities is wanted. The
// zero value works where the environment names the agent.
type Config struct {
	// Addr is where the agent serves the Workload API: a URI such as
	// "unix:///run/spire/sockets/agent.sock" or "tcp://127.0.0.1:8000". Empty
	// means what SPIFFE_ENDPOINT_SOCKET says when the Source is made.
	Addr string
	// ID is the identity to take of several. Zero means any.
	ID tlsid.ID
	// Hint is the operator's hint ("internal", "external") at the identity to
	// take of several. Empty means any. If ID is set too, both must fit.
	Hint string
}

// A Source is a tlsid.Source that follows the Workload API.
type Source struct {
	addr string
	want choice
}

// NewSource returns the Source that c describes. It does not wait for the agent:
// an absent one is an error that Watch yields. The error here is that of an
// address which is missing or is none.
func NewSource(c Config) (*Source, error) {
	addr, err := address(c.Addr)
	if err != nil {
		return nil, fmt.Errorf("spiffe: %w", err)
	}
	return &Source{addr: addr, want: choice{id: c.ID, hint: c.Hint}}, nil
}

// Watch implements tlsid.Source: it yields the credential as soon as the agent
// says it and after each change, and errors between. The package's comment says
// what each of the agent's answers does.
func (s *Source) Watch(ctx context.Context) iter.Seq2[tlsid.Credential, error] {
	return func(yield func(tlsid.Credential, error) bool) {
		stream := s.open(ctx)
		defer stream.close()
		relay := relay{yield: yield}
		relay.run(ctx, stream.news)
	}
}
