package mesh

import (
	"context"
	"net"
	"net/http"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/inside"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// Inside is for the mesh's own packages, such as meshgrpc: another face needs
// more of a Mesh than its users do, who cannot name what it returns.
func (m *Mesh) Inside() inside.Mesh {
	return inside.Mesh{
		Engine:        m.engine,
		ReplayLimit:   m.config.ReplayLimit,
		Now:           m.clock.now,
		Refused:       func(c *engine.Call, err error) error { return newError(c, err) },
		MirrorDropped: m.MirrorDropped,
		Alarms:        m.deadlines.One,
		Dial:          m.config.DialContext,
		Dialer:        m.dialerTo,
		Credential:    (&wires{mesh: m}).credential,
		Reporter:      m.reporter,
		Introduction:  m.introduction(),
		Mode:          m.guard.Mode,
		Inherit:       m.inheritFrom,
		Relents:       relents,
		Receive: func(ctx context.Context) inside.Inbound {
			return &visitor{inbound{Context: ctx, start: m.clock.now()}, m}
		},
	}
}

// A road is how another face than HTTP's gets to the hosts of a cluster.
type road struct {
	wires  *wires
	spec   *plan.Cluster
	dialer dialer
}

func (m *Mesh) dialerTo(cl *engine.Cluster, spec *plan.Cluster) inside.Dialer {
	return m.roadTo(cl, spec)
}

func (m *Mesh) roadTo(cl *engine.Cluster, spec *plan.Cluster) *road {
	r := &road{wires: &wires{mesh: m, template: new(http.Transport)}, spec: spec}
	r.dialer = dialer{base: m.config.DialContext, gate: cl.Gate(), policy: spec.Connection, locks: r.wires.newLocks(spec), idle: func() {}}
	return r
}

// Security implements inside.Dialer.
func (r *road) Security(h *engine.Host, name string, callers bool) inside.Security {
	l := r.wires.decide(h, r.spec, engine.Asked{Name: name, HTTPS: callers})
	if l.security == byCaller {
		l.security, l.name = inClear, "" // what the caller brings is the caller's to do
	}
	return inside.Security(l.host())
}

// Dial implements inside.Dialer.
func (r *road) Dial(ctx context.Context, s inside.Security) (net.Conn, error) {
	return r.dialer.onHTTP2(ctx, string(s))
}

func (m *Mesh) inheritFrom(ctx context.Context, values []string) (context.Context, context.CancelFunc) {
	if len(values) == 0 {
		return ctx, stay
	}
	if d, ok := m.handedOn(http.Header{headerExpectedTimeout: values}); ok {
		return context.WithTimeout(ctx, d)
	}
	return ctx, stay
}

// A visitor is an inbound request that came otherwise than over net/http.
type visitor struct {
	inbound
	mesh *Mesh
}

// Visit implements inside.Inbound.
func (v *visitor) Visit() *guard.Visit { return &v.visit }

// Admit implements inside.Inbound, as Handler does.
func (v *visitor) Admit(address string) *guard.Refusal {
	v.path = v.visit.Path.Escaped()
	refusal := v.mesh.guard.Admit(v, &v.visit)
	v.mesh.tellAccess(&v.inbound, refusal)
	v.caller = callerOf(&http.Request{RemoteAddr: address}, &v.visit)
	if refusal == nil {
		v.mesh.visits.Any().Enter(&v.flight, &v.inbound)
	}
	return refusal
}

// Leave implements inside.Inbound.
func (v *visitor) Leave() { v.flight.Leave() }

// Over implements inside.Inbound.
func (v *visitor) Over(refusal *guard.Refusal, status int, gone bool) {
	all := v.mesh.taps.listening()
	if all == nil {
		return
	}
	e, flags := v.event(), report.Refused(refusal)
	e.Status, e.GRPCStatus = http.StatusOK, &status
	if gone {
		e.Status, flags = 0, flags|telemetry.DownstreamGone
	}
	e.Flags = flags.String()
	if refusal != nil {
		e.Error = refusal.Error()
	}
	tell(all, e, v.visit.Header)
}
