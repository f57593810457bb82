package breaker

import "time"

// Info is what an administrator may want to know about a circuit.
type Info struct {
	State  State
	Times  int       // what the last ejection's time was multiplied with, less what has decayed
	Reason Reason    // of the last ejection
	Since  time.Time // when the last ejection began; zero: never
	Until  time.Time // when it ends or ended
	// Probing says that the probe of a half-open host is under way.
	Probing bool
	// The consecutive failures of a closed circuit, for each detector.
	Consecutive5xx, ConsecutiveGateway, ConsecutiveLocalOrigin uint32
}

// Info returns the circuit's state at now, all of one moment.
func (c *Circuit) Info(now time.Time) Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.past == nil {
		return Info{State: c.State()}
	}
	return Info{
		State:                  c.State(),
		Times:                  c.ejection.decayed(c.detector.outlier.Load(), now),
		Reason:                 c.ejection.reason,
		Since:                  c.ejection.since,
		Until:                  c.ejection.until,
		Probing:                c.machine.probing(),
		Consecutive5xx:         c.counts.fiveXX,
		ConsecutiveGateway:     c.counts.gateway,
		ConsecutiveLocalOrigin: c.counts.local,
	}
}
