package mesh

import (
	"context"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

const (
	mirrorTimeout = 15 * time.Second // where the route has none
	maxMirrorRead = 1 << 20          // bytes of a mirror's answer that are read
)

// Mirror sends a copy of the request elsewhere, at once where the body can be
// had twice, else when the original has been read. Connections that become
// something else are not copied.
func (x *exchange) Mirror(_ *engine.Call, m *plan.Mirror) {
	switch body, err := x.body.Copy(); {
	case upgrades(x.in):
	case err == nil:
		x.copyTo(m, body)
	default:
		x.copies = append(x.copies, m)
	}
}

// sendCopies sends the mirrors that waited for the body; what was too long to
// keep, or was not read, is not mirrored, and counted.
func (x *exchange) sendCopies() {
	for _, m := range x.copies {
		if body, err := x.body.Copy(); err == nil {
			x.copyTo(m, body)
		} else {
			x.t.mesh.MirrorDropped(m.Route.Destinations[0].Host)
		}
	}
	x.copies = nil
}

// copyTo sends one copy, detached: neither the caller's context nor its answer
// has anything to do with it.
func (x *exchange) copyTo(m *plan.Mirror, body io.ReadCloser) {
	values := context.WithoutCancel(x.in.Context())
	in := x.in.WithContext(values)
	in.Header, in.Host, in.Body, in.GetBody = maps.Clone(x.header), x.host, body, nil
	if x.path != "" {
		u := *in.URL
		u.Path, u.RawPath = unescape(x.path), x.path
		in.URL = &u
	}
	target := x.call.Target
	x.t.mesh.engine.Shadow(m.Route.Destinations[0].Host, func(life context.Context) {
		ctx, cancel := context.WithTimeout(values, mirrorTimeout)
		defer cancel()
		defer context.AfterFunc(life, cancel)()
		x.t.shadow(in.WithContext(ctx), m.Route, target)
	})
}

// shadow sends a copy on its own journey and throws the answer away.
func (t *Transport) shadow(in *http.Request, route *plan.Route, target plan.Target) {
	x := newExchange(t, in)
	c := &x.call
	c.Shadow, c.Route, c.Target = true, route, target
	if err := t.mesh.engine.Do(in.Context(), c, x); err != nil {
		x.abandon()
		return
	}
	resp := x.respond()
	_, _ = io.CopyN(io.Discard, resp.Body, maxMirrorRead)
	_ = resp.Body.Close()
}
