package guard

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// Admit carries a request to the door of its handler. Nil means that it may go
// in, as v is then. Admit may wait for a provider, or for the keys of a token,
// until ctx ends.
func (g *Guard) Admit(ctx context.Context, v *Visit) *Refusal {
	o := g.orders.Load()
	if r := g.identify(v); r != nil { // who has proven what, by the roots of now
		return r
	}
	if r := o.plaintext(v); r != nil { // a port that takes mutual TLS alone
		return r
	}
	v.Remote = g.remote(v)
	if r := g.agreed(v); r != nil { // before providers, which take time
		return r
	}
	if r := g.ask(ctx, o, v); r != nil { // CUSTOM comes first of the policies, as in Istio: before tokens
		return r
	}
	if r := o.authenticate(ctx, v); r != nil { // claims are known once the token has been verified
		return r
	}
	if r := o.decide(v); r != nil { // AUDIT, DENY, ALLOW
		return r
	}
	return o.limit(v) // last, so that nobody spends who has no business here
}

// identify finds out who the peer is. A certificate that is no workload's says
// nothing; one that is no longer trusted ends the connection.
func (g *Guard) identify(v *Visit) *Refusal {
	peer := g.peers.of(v.TLS)
	if peer.err != nil {
		r := forbidden(peer.err.Error())
		r.Close = true
		return r
	}
	now := v.Now
	if now.IsZero() {
		now = time.Now()
	}
	v.Peer, v.Aged, v.Expired = peer.id, peer.aged(now), peer.expired(now)
	if v.TLS != nil {
		v.SNI = v.TLS.ServerName
	}
	return nil
}

// plaintext holds a STRICT port, also where the listener is not the mesh's.
func (o *orders) plaintext(v *Visit) *Refusal {
	if !v.Peer.IsZero() || o.policies.Mode(v.Port) != authz.Strict {
		return nil
	}
	r := forbidden(fmt.Sprintf("port %d takes mutual TLS only (PeerAuthentication STRICT)", v.Port))
	r.Close = true
	return r
}

// agreed asks whoever decides beside the policies.
func (g *Guard) agreed(v *Visit) *Refusal {
	access := g.access.Load()
	if access == nil {
		return nil
	}
	if *access == nil {
		return forbidden("the source of access has said nothing")
	}
	if err := (*access).Check(&v.Request); err != nil {
		return forbidden(err.Error())
	}
	return nil
}

// ask lets the providers of CUSTOM policies decide; each must agree.
func (g *Guard) ask(ctx context.Context, o *orders, v *Visit) *Refusal {
	for name, rule := range o.policies.Custom(&v.Request) {
		if err := g.config.Providers[name](ctx, v, rule); err != nil {
			r := forbidden(fmt.Sprintf("provider %s, asked by %v: %v", name, rule, err))
			r.Flag, r.Policy = "UAEX", nameOf(rule)
			return r
		}
	}
	return nil
}

func (o *orders) authenticate(ctx context.Context, v *Visit) *Refusal {
	v.token = jwt.Request{
		Method: v.Method, Header: headers{v}, RawQuery: v.RawQuery,
		Scheme: v.Scheme, Host: v.Host, Path: v.Path.Escaped(),
	}
	result, refusal := o.tokens.Authenticate(ctx, &v.token)
	if refusal != nil {
		return &Refusal{
			Status: refusal.Status, Message: refusal.Message, Challenge: refusal.Challenge,
			Details: "jwt_authn_access_denied{" + refusal.Message + "}", Policy: refusal.Rule,
		}
	}
	v.rewrite(result)
	return nil
}

func (o *orders) decide(v *Visit) *Refusal {
	v.Decision, v.decided = o.policies.Decide(&v.Request), true
	if v.Decision.Allowed {
		return nil
	}
	r := forbidden(v.Decision.Reason())
	r.Policy = nameOf(v.Decision.By)
	return r
}

// limit takes one request from the rates that it falls under.
func (o *orders) limit(v *Visit) *Refusal {
	if o.limits.None() {
		return nil
	}
	refusal, ok := o.limits.Allow(time.Now(), o.route(v), v.Peer.String())
	if ok {
		return nil
	}
	return &Refusal{
		Status: http.StatusTooManyRequests, Flag: "RL", Message: "local_rate_limited",
		Details: refusal.String(), RetryAfter: refusal.RetryAfter(),
		Policy: refusal.Policy.Namespace + "/" + refusal.Policy.Name,
	}
}

// route is the name of the route that the request takes among those of the
// workload's own service; "" if there is none, or nobody asks. The host that the
// caller wrote does not choose the routes, only what they match: by a name that
// nobody knows it would get away from every limit.
func (o *orders) route(v *Visit) string {
	if !o.limits.ByRoute() {
		return ""
	}
	target := o.plan.Lookup(cmp.Or(o.service, v.Host))
	if target.VirtualHost == nil {
		return ""
	}
	route := target.Match(&plan.Request{
		Method: v.Method, Scheme: v.Scheme, Authority: v.Host, Path: v.Request.Path.Escaped(),
		RawQuery: v.RawQuery, Header: v.Header, LowerKeys: v.LowerKeys,
	}, target.Port)
	if route == nil {
		return ""
	}
	return route.Name
}

func nameOf(rule *authz.Rule) string {
	if rule == nil {
		return ""
	}
	return rule.Policy.Namespace + "/" + rule.Policy.Name
}
