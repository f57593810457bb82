package consul

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/internal/blocking"
)

// A GuardConfig says which intentions count.
type GuardConfig struct {
	// Service is the name in Consul of the service that is called: this process.
	// Needed.
	Service string
	// Namespace and Partition are those of Consul Enterprise. "": the client's.
	Namespace, Partition string
	// Default is what becomes of calls that no intention is about.
	// "": what the agent says, which needs agent:read.
	Default api.IntentionAction
	// Report is told of trouble, and again when it changes. Nil: nobody is.
	Report func(error)
}

// A Guard follows the intentions about a service. While the agent does not answer,
// or intentions cannot be decided here, the last ones stand. It is safe for
// concurrent use.
type Guard struct {
	client  *api.Client
	config  GuardConfig
	current atomic.Pointer[Intentions] // nil: none yet
	known   chan struct{}              // closed with the first
	stop    context.CancelFunc
	ended   sync.WaitGroup
	trouble error // the last; it is run's, until that has ended
}

// NewGuard follows the intentions about the service until Close. It returns when
// the first are in force, or with what was wrong when ctx ends, which bounds the
// start, not the life.
func NewGuard(ctx context.Context, client *api.Client, c GuardConfig) (*Guard, error) {
	if c.Report == nil {
		c.Report = func(error) {}
	}
	run, stop := context.WithCancel(context.Background())
	g := &Guard{client: client, config: c, stop: stop, known: make(chan struct{})}
	g.ended.Go(func() { g.run(run) })
	select {
	case <-g.known:
		return g, nil
	case <-ctx.Done():
		g.Close()
		return nil, fmt.Errorf("consul: intentions of %s: %w", c.Service, errors.Join(g.trouble, context.Cause(ctx)))
	}
}

// Close ends the watch. The last intentions stay in force.
func (g *Guard) Close() {
	g.stop()
	g.ended.Wait()
}

// Check returns nil for a call that the intentions in force let in, else why they
// do not: ErrDenied, by errors.Is.
func (g *Guard) Check(c *Call) error { return g.current.Load().Check(c) }

// run keeps the intentions in force.
func (g *Guard) run(ctx context.Context) {
	for in, err := range g.watch(ctx) {
		if err != nil {
			g.lament(err)
			continue
		}
		g.trouble = nil
		if g.current.Swap(in) == nil {
			close(g.known)
		}
	}
}

// lament tells trouble once.
func (g *Guard) lament(err error) {
	if g.trouble == nil || g.trouble.Error() != err.Error() {
		g.config.Report(err)
	}
	g.trouble = err
}

func (g *Guard) watch(ctx context.Context) iter.Seq2[*Intentions, error] {
	c := blocking.Config{Options: api.QueryOptions{Namespace: g.config.Namespace, Partition: g.config.Partition}}
	return func(yield func(*Intentions, error) bool) {
		for answer, err := range blocking.Watch(ctx, c, g.ask) {
			if !yield(answer.Value, err) {
				return
			}
		}
	}
}

// ask asks for the intentions about the service and about all services, and for
// what they mean: the default policy and the trust domain.
func (g *Guard) ask(o *api.QueryOptions) (*Intentions, *api.QueryMeta, error) {
	match := &api.IntentionMatch{By: api.IntentionMatchDestination, Names: []string{g.config.Service}}
	matched, meta, err := g.client.Connect().IntentionMatch(match, o)
	if err != nil {
		return nil, nil, err
	}
	once := new(api.QueryOptions).WithContext(o.Context())
	allow, errDefault := g.defaultAllow(once)
	roots, _, errRoots := g.client.Agent().ConnectCARoots(once)
	if err := errors.Join(errDefault, errRoots, g.refuseTokens(o)); err != nil {
		return nil, nil, err
	}
	in, err := compileIntentions(matched[g.config.Service], roots.TrustDomain, allow)
	return in, meta, err
}

// refuseTokens fails where the intentions ask for tokens: what IntentionMatch
// answers does not say so.
func (g *Guard) refuseTokens(o *api.QueryOptions) error {
	o = (&api.QueryOptions{Namespace: o.Namespace, Partition: o.Partition}).WithContext(o.Context())
	for _, name := range []string{g.config.Service, wildcard} {
		entry, _, err := g.client.ConfigEntries().Get(api.ServiceIntentions, name, o)
		if status, ok := errors.AsType[api.StatusError](err); ok && status.Code == http.StatusNotFound {
			continue
		}
		if err != nil {
			return err
		}
		if said, ok := entry.(*api.ServiceIntentionsConfigEntry); ok && said.JWT != nil {
			return fmt.Errorf("intentions of %s: %w", name, errJWT)
		}
	}
	return nil
}
