package engine

import "strings"

// A Flag is one of Envoy's response flags; a call may carry several.
type Flag uint32

const (
	NoRoute          Flag = 1 << iota // NR
	NoCluster                         // NC
	NoHealthyHost                     // UH
	Overflow                          // UO
	ConnectFailure                    // UF
	ConnectionEnd                     // UC: upstream closed the connection without an answer
	RemoteReset                       // UR
	Timeout                           // UT
	RetriesExhausted                  // URX
	CallerGone                        // DC
	DelayInjected                     // DI
	FaultInjected                     // FI
)

var flagNames = [...]string{"NR", "NC", "UH", "UO", "UF", "UC", "UR", "UT", "URX", "DC", "DI", "FI"}

// String joins the short codes by commas; "-" for none.
func (f Flag) String() string {
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
