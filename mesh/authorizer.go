package mesh

import (
	"cmp"
	"context"
	"net/netip"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/tlsid"
)

// An Authorizer decides for the AuthorizationPolicies of action CUSTOM that name
// it as their provider. It is asked for requests that one of their rules matches,
// before tokens are verified. It is called by many goroutines, on those of the
// requests: ctx ends when the caller is gone, or will wait no longer.
type Authorizer interface {
	// Authorize lets the request in by returning nil. Any error refuses it with
	// 403; what the error says is for the log, not for the caller.
	Authorize(ctx context.Context, r AccessRequest) error
}

// An AccessRequest is what an Authorizer may go by. Nothing in it may be changed.
type AccessRequest struct {
	Peer     tlsid.ID // that the connection has proven; zero for none
	Source   netip.Addr
	Method   string
	Host     string
	Path     string // normalised, escaped
	RawQuery string
	Header   map[string][]string // as the caller sent them, tokens too; canonical keys, of gRPC lower-case ones
	TCP      bool                // a raw connection: there is no method, host, path or header
	Policy   string              // namespace/name of the policy that asks
	Rule     int                 // the index of its rule
}

// guards is what the guard is made of.
func (m *Mesh) guards() guard.Config {
	c := guard.Config{
		Workload:       m.config.options().Workload,
		RootNamespace:  cmp.Or(m.config.RootNamespace, "istio-system"),
		Own:            &m.identity.current,
		Aliases:        m.config.aliases(),
		Providers:      map[string]guard.Provider{},
		TrustedProxies: m.config.TrustedProxies,
		Report:         func(err error) { m.config.Logger.Warn("tokens", "err", err) },
	}
	for name, a := range m.config.Authorizers {
		c.Providers[name] = func(ctx context.Context, v *guard.Visit, by *authz.Rule) error {
			return a.Authorize(ctx, AccessRequest{
				Peer: v.Peer, Source: v.Source, Method: v.Method, Host: v.Host, Path: v.Path.Escaped(), RawQuery: v.RawQuery,
				Header: v.Header, TCP: v.TCP, Policy: by.Policy.Namespace + "/" + by.Policy.Name, Rule: by.Index,
			})
		}
	}
	return c
}
