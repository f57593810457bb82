package report

import (
	"math/bits"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// flags are the engine's, by the number of their bit. Telemetry names them in
// Envoy's order.
var flags = [...]telemetry.Flags{
	telemetry.NoRoute, telemetry.NoCluster, telemetry.NoHealthyUpstream, telemetry.UpstreamOverflow,
	telemetry.UpstreamConnectFailure, telemetry.UpstreamConnectionEnd, telemetry.UpstreamRemoteReset, telemetry.UpstreamTimeout,
	telemetry.RetriesExhausted, telemetry.DownstreamGone, telemetry.DelayInjected, telemetry.FaultInjected,
}

// Flags are Envoy's response flags of a call.
func Flags(f engine.Flag) (out telemetry.Flags) {
	for ; f != 0; f &= f - 1 {
		out |= flags[bits.TrailingZeros32(uint32(f))]
	}
	return out
}

// Refused is the flag of a request that was not let in; 0 if r is nil.
func Refused(r *guard.Refusal) telemetry.Flags {
	switch {
	case r == nil:
	case r.Flag == "UAEX":
		return telemetry.UnauthorizedExternally
	case r.Flag == "RL":
		return telemetry.RateLimited
	}
	return 0
}
