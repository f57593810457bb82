package engine

import (
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/retry"
)

// hold says what a try has taken and must give back, once.
type hold uint8

const (
	holdsRequest hold = 1 << iota
	holdsRetry
	holdsHost
)

// release gives back what a try holds.
func (c *Call) release() {
	if c.holds&holdsRequest != 0 { // right after the slot, whose count is beside this one
		c.Cluster.gate.ReleaseRequest()
	}
	if c.holds&holdsHost != 0 {
		c.leave()
	}
	c.holds &= holdsRetry
}

// leave tells the host that it has one request less. How long that took is known
// where somebody wants to know.
func (c *Call) leave() {
	if c.seen.IsZero() {
		c.Host.Leave()
		return
	}
	switch took, out := c.seen.Sub(c.sent), c.Outcome.circuit(); {
	case out != breaker.Ignored:
		c.Host.End(took, out == breaker.Success, c.seen)
	case c.Outcome.Failure == retry.Canceled && !c.Outcome.InLine:
		c.Host.GiveUp(took, c.seen)
	default: // it has not got there
		c.Host.Leave()
	}
}

// Abort ends a call on whose way somebody has panicked: it gives back what the call
// holds, and a probe's place, and says nothing of the host.
func (c *Call) Abort() {
	if c.permit != (breaker.Permit{}) {
		c.Cluster.report(c.Host, c.permit, breaker.Ignored, time.Now())
		c.permit = breaker.Permit{}
	}
	c.release()
	c.endRetry()
	c.land()
}

func (c *Call) endRetry() {
	if c.holds&holdsRetry != 0 {
		c.holds &^= holdsRetry
		c.Cluster.releaseRetry()
	}
}
