package report

import (
	"strconv"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// describe fills in what the engine knows of a call beside what the face has
// seen of it.
func (o *Outbound) describe(d *telemetry.Details) {
	c := o.call
	d.Method, d.Scheme, d.Attempts = c.Request.Method, c.Request.Scheme, c.Tries
	d.Route = c.RouteName()
	if c.Cluster != nil {
		d.Cluster = c.Cluster.Key.String()
	}
	if c.Host != nil {
		d.UpstreamAddress = c.Host.Address()
	}
	d.CodeDetails = codeDetails(c)
	if c.Outcome.Flag&engine.ConnectFailure != 0 && c.Outcome.Err != nil {
		d.TransportFailure = c.Outcome.Err.Error()
	}
}

// codeDetails are Envoy's words for why there is this answer.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/response_code_details
func codeDetails(c *engine.Call) string {
	switch {
	case c.Local != nil && c.Flags&engine.FaultInjected != 0:
		return "fault_filter_abort"
	case c.Local != nil:
		return "direct_response"
	case c.Outcome.Err == nil:
		return "via_upstream"
	}
	for _, w := range words {
		if c.Outcome.Flag&w.flag != 0 || c.Flags&w.flag != 0 {
			return w.details
		}
	}
	return c.Outcome.Err.Error()
}

var words = []struct {
	flag    engine.Flag
	details string
}{
	{engine.NoRoute, "route_not_found"},
	{engine.NoCluster, "cluster_not_found"},
	{engine.NoHealthyHost, "no_healthy_upstream"},
	{engine.Overflow, "upstream_reset_before_response_started{overflow}"},
	{engine.CallerGone, "downstream_remote_disconnect"},
	{engine.Timeout, "response_timeout"},
	{engine.ConnectFailure, "upstream_reset_before_response_started{connection_failure}"},
	{engine.ConnectionEnd, "upstream_reset_before_response_started{connection_termination}"},
	{engine.RemoteReset, "upstream_reset_before_response_started{remote_reset}"},
}

// status is an answer's, as a reason to try again.
func status(o *engine.Outcome) string {
	if o.GRPCStatus > 0 {
		return "grpc " + strconv.Itoa(o.GRPCStatus)
	}
	return strconv.Itoa(o.Status)
}

// DescribeTCP fills in what the engine knows of a call that is a connection, but for
// its route.
func DescribeTCP(c *engine.Call, d *telemetry.Details) {
	if c.Cluster != nil {
		d.Cluster = c.Cluster.Key.String()
	}
	if c.Host != nil {
		d.UpstreamAddress, d.Attempts = c.Host.Address(), c.Tries
	}
	if c.Outcome.Flag&engine.ConnectFailure != 0 && c.Outcome.Err != nil {
		d.TransportFailure = c.Outcome.Err.Error()
	}
}
