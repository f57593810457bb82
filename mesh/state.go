package mesh

import "github.com/inmesh-go/inmesh/mesh/telemetry"

// state is what metrics tell of the mesh itself.
func (m *Mesh) state() telemetry.State {
	s := m.Status()
	return telemetry.State{MirrorDrops: int64(s.MirrorDrops), Certificate: s.Identity.NotAfter}
}
