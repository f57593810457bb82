// Package authz says who may do what. It compiles Istio's AuthorizationPolicy and
// PeerAuthentication for one workload, and decides request by request. It is
// pure: no I/O, no clock, no goroutine, and nothing of net/http.
//
//	policies, err := authz.Compile(set, authz.Workload{Namespace: "default", Labels: labels}, authz.Options{})
//	...
//	path, err := authz.Base.Path(r.URL.EscapedPath()) // an error is a 400
//	r.URL.Path, r.URL.RawPath = path.Decoded(), path.Escaped()
//	decision := policies.Decide(&authz.Request{Peer: peer, Method: r.Method, Host: r.Host, Path: path, Header: r.Header})
//	if !decision.Allowed { // a 403
//
// # Order
//
//  1. CUSTOM: [Policies.Custom] names the providers to ask. All must agree.
//  2. Tokens are validated; Request.Claims is the payload.
//  3. AUDIT: [Decision.Audit] marks the request, and decides nothing.
//  4. DENY: one rule that matches denies.
//  5. ALLOW: if such a policy applies to the workload, one rule must match. One
//     without rules matches nothing; the rule {} matches everything.
//
// Policies with the annotation istio.io/dry-run decide [Decision.Shadow] only.
//
// # Defaults
//
//  1. Without policies everything is allowed, in plaintext too ([Permissive]).
//  2. The root namespace is istio-system, the workload's is default, the mesh's
//     trust domain is cluster.local.
//  3. Paths are normalized by [Base].
//
// # What fails closed
//
// Compile fails on what cannot be enforced: a provider that nobody plugged in,
// remote addresses without trusted proxies, unknown attributes. An attribute
// that a request lacks, an identity first of all, matches no value; so it
// satisfies notPrincipals and its like, as in Istio: DENY notPrincipals ["*"]
// denies plaintext callers.
//
// # Departures from Istio
//
//  1. Where handlers read a request in several ways, no reading passes that the
//     policy would stop. Of several values of a header, the whole joined by commas
//     counts, and, towards a refusal, each alone, without spaces around it. Of a host, what was sent counts,
//     and, towards a refusal, the name without port and final dots; one whose port
//     is no number is allowed by nothing. Of a path, see [Normalization].
//  2. Paths are matched as handlers see them, decoded; patterns are decoded too.
//     %2F stays: it stands for an escaped slash.
//  3. What policies write is literal, where Istio puts it into an expression
//     unescaped: the dot of */sa/a.b is a dot. The namespace is looked for in the
//     path of an ID, never in its trust domain.
//  4. request.headers[host] is the host, in any case; connection.sni, too, is
//     compared in any case.
//
// # Limits
//
//  1. /a/ is another path than /a, and /a;x=1 too, as in Istio. A file system
//     for which A or "a." is the same file as a needs policies that know it.
//  2. Handlers that read http.Request.RequestURI read what was sent.
//  3. Policies with a targetRef are about gateways and waypoints, and left out.
//  4. A header in one line is one value, with commas or without.
//  5. Rules are tried one after the other, in some 30 ns each.
//
// # Concurrency
//
// Policies, Modes and Paths are immutable: any number of goroutines may use them.
package authz
