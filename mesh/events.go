package mesh

import (
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// The engine tells the Mesh what happens; the Mesh tells the Observer and the
// log. Hooks that nobody set cost a comparison.

// Retrying implements engine.Events.
func (m *Mesh) Retrying(c *engine.Call, wait time.Duration) {
	if hook := m.config.Observer.Retry; hook != nil {
		hook(RetryInfo{Service: c.Target.Name, Subset: c.Destination.Subset, Endpoint: c.Host.Address(), Attempt: c.Tries, Status: c.Outcome.Status, Err: c.Outcome.Err, Wait: wait})
	}
}

// Done implements engine.Events.
func (m *Mesh) Done(c *engine.Call) {
	if hook := m.config.Observer.Request; hook != nil {
		hook(requestInfo(c, time.Now()))
	}
	if all := m.taps.listening(); all != nil {
		tell(all, tapped(c, time.Now()), c.Request.Header)
	}
}

// Circuit implements engine.Events.
func (m *Mesh) Circuit(cl *engine.Cluster, h *engine.Host, ev breaker.Event) {
	m.config.Logger.Warn("circuit", "service", cl.Key.Host, "subset", cl.Key.Subset, "endpoint", h.Address(),
		"event", ev.Kind.String(), "reason", ev.Reason.String(), "times", ev.Times, "until", ev.Until)
	if hook := m.config.Observer.Circuit; hook != nil {
		hook(CircuitInfo{Service: cl.Key.Host, Subset: cl.Key.Subset, Endpoint: h.Address(), Event: ev})
	}
}

// HostGone implements engine.Events.
func (m *Mesh) HostGone(cl *engine.Cluster, h *engine.Host) {
	for _, w := range m.wires() {
		w.leave(cl, h)
	}
}

// ClusterClosed implements engine.Events.
func (m *Mesh) ClusterClosed(cl *engine.Cluster) {
	for _, w := range m.wires() {
		w.forget(cl)
	}
	m.ways.all.Delete(cl)
}

// wires are those of all transports that have connections of their own.
func (m *Mesh) wires() (out []*wires) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.transports {
		if t.own != nil {
			out = append(out, t.own)
		}
	}
	return out
}

// MirrorDropped implements engine.Events.
func (m *Mesh) MirrorDropped(host string) {
	m.status.mirrorDrops.Add(1)
	if hook := m.config.Observer.MirrorDropped; hook != nil {
		hook(host)
	}
}

// Trouble implements engine.Events.
func (m *Mesh) Trouble(host string, err error) {
	m.config.Logger.Warn("discovery", "service", host, "err", err)
	if hook := m.config.Observer.Discovery; hook != nil {
		hook(DiscoveryInfo{Service: host, Err: err})
	}
}

func (m *Mesh) rulesApplied(set *rules.Set) {
	for _, w := range set.Warnings {
		m.config.Logger.Warn("rules", "warning", w.String())
	}
	m.config.Logger.Info("rules in force", "version", set.Version, "objects", set.Len())
	if hook := m.config.Observer.Rules; hook != nil {
		hook(RulesInfo{Version: set.Version, Objects: set.Len(), Warnings: set.Warnings})
	}
}

func (m *Mesh) rulesRejected(err error) {
	outcome := "rules rejected; the last good ones stand"
	if m.Rules() == nil {
		outcome = "rules rejected; there are none in force"
	}
	m.config.Logger.Error(outcome, "err", err)
	if hook := m.config.Observer.Rules; hook != nil {
		hook(RulesInfo{Err: err})
	}
}
