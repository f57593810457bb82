package mesh

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

const (
	mirrorTimeout = 15 * time.Second // where the route has none
	maxMirrorRead = 1 << 20          // bytes of a mirror's answer that are read
)

// Mirror sends a copy of the request elsewhere, at once where the body can be
// had twice, else when the original has been read. Connections that become
// something else are not copied.
func (x *exchange) Mirror(_ *engine.Call, m *plan.Mirror) {
	if upgrades(x.in) {
		return
	}
	if body, err := x.body.Copy(); err == nil {
		x.copyTo(m, body)
	} else {
		x.copies = append(x.copies, m)
	}
}

// sendCopies sends the mirrors that waited for the body.
func (x *exchange) sendCopies() {
	if x.copies != nil {
		x.copyRead()
	}
}

// copyRead mirrors what has been read; what was too long to keep, or was not read, is
// not mirrored, and counted.
func (x *exchange) copyRead() {
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
// has anything to do with it, and it may outlive the exchange.
func (x *exchange) copyTo(m *plan.Mirror, body io.ReadCloser) {
	t, in, target := x.t, x.duplicate(body), x.call.Target
	sent := t.mesh.engine.Shadow(m.Route.Destinations[0].Host, func(life context.Context) {
		ctx, cancel := context.WithTimeout(in.Context(), cmp.Or(m.Route.Timeout, mirrorTimeout))
		defer cancel()
		defer context.AfterFunc(life, cancel)()
		t.shadow(in.WithContext(ctx), m.Route, target)
	})
	if !sent {
		_ = body.Close()
	}
}

// duplicate is the request as it goes upstream. It shares nothing that its
// caller may change once it has its answer.
func (x *exchange) duplicate(body io.ReadCloser) *http.Request {
	in := x.in.WithContext(detach(x.in.Context()))
	to := *x.in.URL
	if x.path != "" {
		retarget(&to, x.path, x.call.Request.RawQuery)
	}
	in.URL, in.Host, in.Header, in.Trailer = &to, x.host, x.header.Clone(), x.in.Trailer.Clone()
	if in.Header != nil {
		x.report.Inject(x.in.Context(), nil, telemetry.Carrier{Header: in.Header})
	}
	in.Body, in.GetBody = body, nil
	in.Cancel = nil // http.Client ends a request that is out of time by it
	return in
}

// detach keeps the values of a context, unless there are hooks of httptrace
// among them: those are to be called for the caller's own request alone.
func detach(ctx context.Context) context.Context {
	if httptrace.ContextClientTrace(ctx) == nil {
		return context.WithoutCancel(ctx)
	}
	return context.WithValue(context.Background(), inboundKey{}, &Caller{Address: remoteOf(ctx)})
}

// shadow sends a copy on its own journey and throws the answer away.
func (t *Transport) shadow(in *http.Request, route *plan.Route, target plan.Target) {
	x := newExchange(t, in)
	c := &x.call
	c.Shadow, c.Route, c.Target = true, route, target
	if err := t.mesh.engine.Do(in.Context(), c, x); err != nil {
		x.abandon(0)
		return
	}
	resp := x.respond()
	if resp.StatusCode != http.StatusSwitchingProtocols { // which no context ends: net/http has let go of the connection
		_, _ = io.CopyN(io.Discard, resp.Body, maxMirrorRead)
	}
	_ = resp.Body.Close()
}
