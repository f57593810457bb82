package mesh

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// lineTo decides how a try connects to the host that was picked. A host
// remembers the last decision, so that it costs next to nothing.
func (w *wires) lineTo(h *engine.Host, cl *engine.Cluster, spec *plan.Cluster, r *http.Request) *engine.Line {
	asked, described := askedFor(spec, r), cl.Described()
	have := h.State.Line.Load()
	if have != nil && have.By == spec && have.Described == described && have.Asked == asked {
		return have
	}
	l := w.decide(h, spec, asked)
	fresh := &engine.Line{By: spec, Described: described, Asked: asked, Security: uint8(l.security), Spelt: l.host()}
	h.State.Line.Store(fresh)
	return fresh
}

// askedFor: requests to http take HTTP/1.1, unless a rule says otherwise; over
// https ALPN chooses, unless the connection is to become something else, or something
// is said of it.
func askedFor(spec *plan.Cluster, r *http.Request) engine.Asked {
	switch {
	case r.URL.Scheme == "https":
		return engine.Asked{Name: r.URL.Hostname(), HTTPS: true, HTTP1: upgrades(r) || !fitsHTTP2(r.Header)}
	case spec.TLS.Files():
		authority := url.URL{Host: r.Host}
		return engine.Asked{Name: authority.Hostname(), HTTP1: true}
	}
	return engine.Asked{HTTP1: true}
}

// decide: a caller's own TLS stands, unless a rule says how TLS is to be done
// here; there is never one in the other.
func (w *wires) decide(h *engine.Host, spec *plan.Cluster, asked engine.Asked) line {
	ep := h.Endpoint()
	l := line{address: h.State.Address, h1: asked.HTTP1}
	identity, mutual := spec.MutualTLS(&ep, w.mesh.config.Identity != nil)
	switch {
	case spec.TLS.Files():
		l.security, l.name = byFiles, asked.Name
	case mutual && (!asked.HTTPS || spec.TLS.Mode == plan.TLSIstio):
		l.security, l.name = byIdentity, identity
	case asked.HTTPS:
		l.security, l.name = byCaller, asked.Name
	}
	return l
}

// errPlaintext: a RoundTripper of the caller's own would send in the clear what
// the mesh is to encrypt.
var errPlaintext = errors.New("TLS is due to this endpoint, which only a nil base or an *http.Transport can be told")

// errNothing: to a caller, a base that breaks its contract is an upstream without an
// answer.
var errNothing = errors.New("the base has returned neither an answer nor an error")

// overBase sends a try through a RoundTripper of the caller's own. It encrypts
// what goes to https; where the mesh would have to, nothing is sent.
func (t *Transport) overBase(c *engine.Call, held *hold, r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" && t.mesh.encrypts(c) {
		return unsent(r, &connectError{errPlaintext})
	}
	r.URL.Host = c.Host.State.Address
	resp, err := held.overHTTP1(c.Cluster, t.base, r)
	switch {
	case err != nil:
	case resp == nil:
		err = errNothing
	case resp.Body == nil: // a base may leave it out
		resp.Body = http.NoBody
	}
	return resp, err
}

// encrypts reports whether TLS is due to the host that was picked.
func (m *Mesh) encrypts(c *engine.Call) bool {
	return (m.config.Identity != nil || c.Cluster.Spec().TLS.Mode != plan.TLSAuto) && m.owesTLS(c)
}

func (m *Mesh) owesTLS(c *engine.Call) bool {
	spec, identity := c.Cluster.Spec(), m.config.Identity != nil
	if spec.TLS.Mode == plan.TLSDisable {
		return false
	}
	ep := c.Host.Endpoint()
	_, mutual := spec.MutualTLS(&ep, identity)
	return mutual || spec.TLS.Files()
}
