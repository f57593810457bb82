package mesh

import (
	"cmp"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

// openTelemetry begins to report, unless Config says not to.
func (m *Mesh) openTelemetry() (err error) {
	if m.config.NoTelemetry {
		return nil
	}
	c := m.config.Telemetry
	c.Local = m.config.local()
	c.State = m.state
	if m.telemetry, err = telemetry.New(c); err != nil {
		return err
	}
	_, m.metadata[0] = c.Local.Metadata()
	m.reporter = report.New(m.telemetry, &m.identity.current, m.served())
	return nil
}

// served is the service that the process serves; zero if nobody has said.
func (m *Mesh) served() telemetry.Service {
	if m.config.Workload.Service == "" {
		return telemetry.Service{}
	}
	p := m.engine.Plan()
	s := p.Service(p.Lookup(m.config.Workload.Service).Name)
	return telemetry.Service{Host: s.Host, Name: s.Name, Namespace: s.Namespace}
}

func (m *Mesh) closeTelemetry() error {
	if m.telemetry == nil {
		return nil
	}
	return m.telemetry.Close()
}

// local is this process as labels describe it.
func (c *Config) local() telemetry.Workload {
	w, said := report.Workload(c.Workload.Service, c.Workload.Namespace, c.Workload.Labels), c.Telemetry.Local
	return telemetry.Workload{
		Name:      cmp.Or(said.Name, w.Name),
		Namespace: cmp.Or(said.Namespace, w.Namespace),
		App:       cmp.Or(said.App, w.App),
		Version:   cmp.Or(said.Version, w.Version),
		Service:   cmp.Or(said.Service, w.Service),
		Revision:  cmp.Or(said.Revision, w.Revision),
		Cluster:   said.Cluster,
	}
}

// Graph is who has called whom through this process in the last span of time, of
// which a minute is remembered: calls out by where they went, calls in by who has
// proven to make them.
func (m *Mesh) Graph(span time.Duration) topology.Graph {
	if m.telemetry == nil {
		return topology.Graph{At: time.Now(), Window: span.Seconds()}
	}
	return m.telemetry.Graph(span)
}
