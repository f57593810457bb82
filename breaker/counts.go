package breaker

// A Reason says what ejected a host.
type Reason uint8

// The reasons. The first three are the detectors.
const (
	NoReason    Reason = iota
	Gateway            // ConsecutiveGateway
	FiveXX             // Consecutive5xx
	LocalOrigin        // ConsecutiveLocalOrigin
	Probe              // the probe of a half-open host failed
)

// String is the rule's field, or "failed probe".
func (r Reason) String() string {
	switch r {
	case Gateway:
		return "consecutiveGatewayErrors"
	case FiveXX:
		return "consecutive5xxErrors"
	case LocalOrigin:
		return "consecutiveLocalOriginFailures"
	case Probe:
		return "failed probe"
	}
	return "none"
}

// counts are a host's consecutive failures. The circuit's lock guards them.
type counts struct{ gateway, fiveXX, local uint32 }

func (c *counts) zero() bool { return *c == counts{} }

func (c *counts) clear() { *c = counts{} }

// add counts an outcome and returns the detector that reached its threshold.
func (c *counts) add(out Outcome, o *Outlier) Reason {
	switch {
	case out == Ignored:
		return NoReason
	case out == Success:
		c.clear()
		return NoReason
	case out == LocalFailure && o.SplitLocalOrigin:
		return bump(&c.local, o.ConsecutiveLocalOrigin, LocalOrigin)
	}
	c.local = 0
	if out == ServerError {
		c.gateway = 0
		return bump(&c.fiveXX, o.Consecutive5xx, FiveXX)
	}
	// Envoy looks at the gateway detector first.
	gateway := bump(&c.gateway, o.ConsecutiveGateway, Gateway)
	fiveXX := bump(&c.fiveXX, o.Consecutive5xx, FiveXX)
	if gateway != NoReason {
		return gateway
	}
	return fiveXX
}

// bump counts one more, and starts from zero when it returns the reason: a
// threshold reached but not enforced takes as many failures again.
func bump(n *uint32, threshold uint32, r Reason) Reason {
	if threshold == 0 {
		return NoReason
	}
	if *n++; *n < threshold {
		return NoReason
	}
	*n = 0
	return r
}
