package breaker

import "time"

// An ejection is the present or the last one of a host.
type ejection struct {
	times  int // multiplies the base ejection time
	reason Reason
	since  time.Time
	until  time.Time
	ended  time.Time // when the host was readmitted; zero while it is out
}

// begin starts the next ejection. One that follows a failed probe continues
// the last; before any other, the time in rotation is taken into account.
func (e *ejection) begin(r Reason, o *Outlier, now time.Time) {
	lasts, times := o.ejectionTime(e.decayed(o, now) + 1)
	*e = ejection{times: times, reason: r, since: now, until: now.Add(lasts)}
}

func (e *ejection) end(now time.Time) { e.ended = now }

// decayed is times less one for each whole Interval in rotation. Envoy's sweep
// does that as it comes by; here it is worked out when it matters.
func (e *ejection) decayed(o *Outlier, now time.Time) int {
	if e.ended.IsZero() {
		return e.times
	}
	return max(0, e.times-int(now.Sub(e.ended)/o.Interval))
}
