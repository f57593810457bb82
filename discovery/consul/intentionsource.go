package consul

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/internal/blocking"
	"github.com/inmesh-go/inmesh/mesh/authz"
)

// An IntentionsConfig says which intentions count.
type IntentionsConfig struct {
	// Service is the name in Consul of the service that is called: this process.
	// Needed.
	Service string
	// Namespace and Partition are those of Consul Enterprise. "": the client's.
	Namespace, Partition string
	// Default is what becomes of calls that no intention is about.
	// "": what the agent says, which needs agent:read.
	Default api.IntentionAction
}

// An IntentionSource is an authz.Source that follows the intentions about a
// service. It is safe for concurrent use, and there is nothing to close.
type IntentionSource struct {
	client *api.Client
	config IntentionsConfig
}

// Intentions is NewIntentions with a service and no more.
func Intentions(client *api.Client, service string) *IntentionSource {
	return NewIntentions(client, IntentionsConfig{Service: service})
}

// NewIntentions returns the source that c describes. The agent is not asked yet.
func NewIntentions(client *api.Client, c IntentionsConfig) *IntentionSource {
	return &IntentionSource{client, c}
}

// Watch implements authz.Source. What the Checkers refuse is ErrDenied, by
// errors.Is. An agent that does not answer is trouble, and so are intentions that
// cannot be decided here; trouble is told once.
func (s *IntentionSource) Watch(ctx context.Context) iter.Seq2[authz.Checker, error] {
	c := blocking.Config{Options: api.QueryOptions{Namespace: s.config.Namespace, Partition: s.config.Partition}}
	return func(yield func(authz.Checker, error) bool) {
		told := ""
		for answer, err := range blocking.Watch(ctx, c, s.ask) {
			switch {
			case err == nil:
				told = ""
			case err.Error() == told:
				continue
			default:
				told = err.Error()
				err = fmt.Errorf("consul: intentions of %q: %w", s.config.Service, err)
			}
			if !yield(answer.Value, err) {
				return
			}
		}
	}
}

var errNoService = errors.New("IntentionsConfig: Service: there is none")

// ask asks for the intentions about the service and about all services, and for
// what they mean: the default policy and the trust domain.
func (s *IntentionSource) ask(o *api.QueryOptions) (authz.Checker, *api.QueryMeta, error) {
	if s.config.Service == "" {
		return nil, nil, errNoService
	}
	match := &api.IntentionMatch{By: api.IntentionMatchDestination, Names: []string{s.config.Service}}
	matched, meta, err := s.client.Connect().IntentionMatch(match, o)
	if err != nil {
		return nil, nil, err
	}
	once := new(api.QueryOptions).WithContext(o.Context())
	allow, errDefault := s.defaultAllow(once)
	roots, _, errRoots := s.client.Agent().ConnectCARoots(once)
	if err := errors.Join(errDefault, errRoots, s.refuseTokens(o)); err != nil {
		return nil, nil, err
	}
	in, err := compileIntentions(matched[s.config.Service], roots.TrustDomain, allow)
	if err != nil {
		return nil, nil, err
	}
	return in, meta, nil
}

// refuseTokens fails where the intentions ask for tokens: what IntentionMatch
// answers does not say so.
func (s *IntentionSource) refuseTokens(o *api.QueryOptions) error {
	o = (&api.QueryOptions{Namespace: o.Namespace, Partition: o.Partition}).WithContext(o.Context())
	for _, name := range []string{s.config.Service, wildcard} {
		entry, _, err := s.client.ConfigEntries().Get(api.ServiceIntentions, name, o)
		if status, ok := errors.AsType[api.StatusError](err); ok && status.Code == http.StatusNotFound {
			continue
		}
		if err != nil {
			return err
		}
		if said, ok := entry.(*api.ServiceIntentionsConfigEntry); ok && said.JWT != nil {
			return fmt.Errorf("of %s: %w", name, errJWT)
		}
	}
	return nil
}
