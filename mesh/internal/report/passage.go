package report

import (
	"context"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// Pass tells of a request to a host that is not the mesh's, which Istio's proxies
// call by the name of a cluster for all of them. describe is asked for the details
// if somebody reads them.
func (r *Reporter) Pass(ctx context.Context, p telemetry.Protocol, host string, res *telemetry.Result, describe func(*telemetry.Details)) {
	if r.Wants() {
		res.Details = new(telemetry.Details)
		describe(res.Details)
	}
	e := r.telemetry.Edge(telemetry.Link{Protocol: p, Service: telemetry.Service{Host: host, Name: telemetry.Passthrough}})
	e.Record(res)
	r.telemetry.Log(ctx, e, res)
}
