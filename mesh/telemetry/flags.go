package telemetry

import "strings"

// Flags are Envoy's response flags, as bits: those of the attribute
// response.flags in expressions.
// https://github.com/envoyproxy/envoy/blob/main/envoy/stream_info/stream_info.h
type Flags uint32

// The flags that Istio's documentation and dashboards know, in Envoy's order.
const (
	LocalHealthCheckFailed  Flags = 1 << iota // LH
	NoHealthyUpstream                         // UH
	UpstreamTimeout                           // UT
	LocalReset                                // LR
	UpstreamRemoteReset                       // UR
	UpstreamConnectFailure                    // UF
	UpstreamConnectionEnd                     // UC
	UpstreamOverflow                          // UO
	NoRoute                                   // NR
	DelayInjected                             // DI
	FaultInjected                             // FI
	RateLimited                               // RL
	UnauthorizedExternally                    // UAEX
	RateLimitError                            // RLSE
	DownstreamGone                            // DC
	RetriesExhausted                          // URX
	StreamIdleTimeout                         // SI
	InvalidEnvoyHeaders                       // IH
	DownstreamProtocolError                   // DPE
	MaxStreamDuration                         // UMSDR
	ResponseFromCache                         // RFCF
	NoFilterConfig                            // NFCF
	DurationTimeout                           // DT
	UpstreamProtocolError                     // UPE
	NoCluster                                 // NC
	OverloadManager                           // OM
	DNSFailed                                 // DF
	DropOverload                              // DO
	DownstreamRemoteReset                     // DR
)

var flagNames = [...]string{
	"LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC",
	"URX", "SI", "IH", "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR",
}

// String joins the short codes by commas; "-" for none.
func (f Flags) String() string {
	if f == 0 {
		return "-"
	}
	var out []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, ",")
}
