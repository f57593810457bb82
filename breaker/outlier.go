package breaker

import "time"

// An Outlier is an outlierDetection block: when a host is ejected, for how long,
// and how many at most. The zero Outlier detects nothing.
type Outlier struct {
	Enabled bool
	// Consecutive5xx answers with 5xx eject a host; 0: off. Unless
	// SplitLocalOrigin, local failures count as well.
	Consecutive5xx uint32
	// ConsecutiveGateway answers with 502, 503 or 504 eject a host; 0: off.
	// Unless SplitLocalOrigin, local failures count as well.
	ConsecutiveGateway uint32
	// ConsecutiveLocalOrigin connect failures, resets and timeouts eject a host;
	// 0: off. It acts only with SplitLocalOrigin.
	ConsecutiveLocalOrigin uint32
	// SplitLocalOrigin counts local failures apart from answers.
	SplitLocalOrigin bool
	// Interval in rotation takes one from a host's number of ejections; 0: 10 s.
	Interval time.Duration
	// BaseEjectionTime times the number of ejections is how long a host is out,
	// at most 300 s (or BaseEjectionTime, if that is more); 0: 30 s.
	BaseEjectionTime time.Duration
	// MaxEjectionPercent of the hosts may be out at the same time; 0: 10.
	MaxEjectionPercent int
	// AlwaysEjectOne lets one host be out whatever MaxEjectionPercent says.
	AlwaysEjectOne bool
}

const (
	defaultInterval     = 10 * time.Second
	defaultBaseEjection = 30 * time.Second
	defaultMaxPercent   = 10
	maxEjectionTime     = 300 * time.Second // Envoy's max_ejection_time, which Istio leaves as it is
)

// DefaultOutlier is what an empty outlierDetection block means, with
// AlwaysEjectOne, which a rule loses when it writes maxEjectionPercent.
// ConsecutiveLocalOrigin is 5, in force once SplitLocalOrigin is set.
func DefaultOutlier() Outlier {
	return Outlier{
		Enabled:                true,
		Consecutive5xx:         5,
		ConsecutiveLocalOrigin: 5,
		Interval:               defaultInterval,
		BaseEjectionTime:       defaultBaseEjection,
		MaxEjectionPercent:     defaultMaxPercent,
		AlwaysEjectOne:         true,
	}
}

// completed has the defaults in the place of zeros (and of negative values).
func (o Outlier) completed() *Outlier {
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	if o.BaseEjectionTime <= 0 {
		o.BaseEjectionTime = defaultBaseEjection
	}
	if o.MaxEjectionPercent <= 0 {
		o.MaxEjectionPercent = defaultMaxPercent
	}
	return &o
}

// ejectionTime is how long the nth ejection lasts, and n itself up to the first
// that adds nothing to that: Envoy counts no further, so that a host that was out
// often need not be forgiven for much longer than its ejections became longer.
func (o *Outlier) ejectionTime(n int) (time.Duration, int) {
	longest := max(maxEjectionTime, o.BaseEjectionTime)
	most := int((longest+o.BaseEjectionTime-1)/o.BaseEjectionTime) + 1
	n = min(n, most)
	if n >= most-1 {
		return longest, n
	}
	return o.BaseEjectionTime * time.Duration(n), n
}
