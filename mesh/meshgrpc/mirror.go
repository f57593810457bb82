package meshgrpc

import (
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

func (r *rpc) Mirror(_ *engine.Call, m *plan.Mirror) {
	r.client.mesh.MirrorDropped(m.Route.Destinations[0].Host)
}
