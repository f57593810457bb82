package consul

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/internal/blocking"
)

// found is what Consul says of a target.
type found struct {
	instances []*api.ServiceEntry // healthy or not
	trust     string              // the trust domain of their identities; "": they have none
}

// lookup yields what Consul says of a target in one place.
func (r *registry) lookup(ctx context.Context, t target, p Place) iter.Seq2[blocking.Answer[found], error] {
	ask := r.query(t)
	return blocking.Watch(ctx, r.config.blocking(t, p), func(o *api.QueryOptions) (found, *api.QueryMeta, error) {
		instances, meta, err := ask(o)
		if err == nil && len(instances) == 0 && !t.query && doubtful(meta) {
			o.WaitIndex = 0 // for a server's own word
			instances, meta, err = ask(o)
		}
		switch {
		case err != nil || len(instances) > 0:
		case !t.query && doubtful(meta):
			err = errNothing
		default:
			err = permitted(r.client, meta, o, true)
		}
		if err != nil || !r.config.Connect {
			return found{instances: instances}, meta, err
		}
		trust, err := r.trustDomain(o.Context())
		return found{instances, trust}, meta, err
	})
}

// nothing is the index of what is not known. An agent that streams, and is cut off from
// the datacenter that it is asked about, waits as long as it may and then answers with
// what it has: nothing, of index 0, which the HTTP API makes 1. That nobody offers a
// service has the index of something: the nodes' own registrations come before it.
const nothing = 1

// doubtful says that an answer has that index, and is not that of a server that knows
// its leader, whose word it may be: a peer has no nodes here before it exports something.
func doubtful(meta *api.QueryMeta) bool { return meta.LastIndex <= nothing && !meta.KnownLeader }

var errNothing = errors.New("the agent knows nothing of it yet")

// query asks for all instances, also those that are not passing: the balancer
// is to know them, and to use them when all the others are gone.
func (r *registry) query(t target) blocking.Query[[]*api.ServiceEntry] {
	health := r.client.Health()
	switch {
	case t.query:
		return r.prepared(t)
	case r.config.Connect:
		return func(o *api.QueryOptions) ([]*api.ServiceEntry, *api.QueryMeta, error) {
			return health.Connect(t.name, t.tag, false, o)
		}
	default:
		return func(o *api.QueryOptions) ([]*api.ServiceEntry, *api.QueryMeta, error) {
			return health.Service(t.name, t.tag, false, o)
		}
	}
}

// prepared executes a prepared query. It does not block: the pace of the queries
// makes it polling.
func (r *registry) prepared(t target) blocking.Query[[]*api.ServiceEntry] {
	return func(o *api.QueryOptions) ([]*api.ServiceEntry, *api.QueryMeta, error) {
		o.WaitIndex, o.Connect = 0, r.config.Connect
		executed, meta, err := r.client.PreparedQuery().Execute(t.name, o)
		if status, ok := errors.AsType[api.StatusError](err); ok && status.Code == http.StatusNotFound {
			return nil, &api.QueryMeta{}, nil
		}
		if err != nil {
			return nil, nil, err
		}
		out := make([]*api.ServiceEntry, len(executed.Nodes))
		for i := range executed.Nodes {
			out[i] = &executed.Nodes[i]
		}
		return out, meta, nil
	}
}

// trustDomain asks the agent, which knows the roots, whose trust domain it is.
func (r *registry) trustDomain(ctx context.Context) (string, error) {
	roots, _, err := r.client.Agent().ConnectCARoots(new(api.QueryOptions).WithContext(ctx))
	if err != nil {
		return "", fmt.Errorf("the trust domain: %w", err)
	}
	return roots.TrustDomain, nil
}
