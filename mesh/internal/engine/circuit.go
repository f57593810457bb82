package engine

import (
	"time"

	"github.com/inmesh-go/inmesh/breaker"
)

// report tells the host's circuit how a try ended and does what follows from it.
func (cl *Cluster) report(h *Host, p breaker.Permit, out breaker.Outcome, now time.Time) breaker.Event {
	circuit := &h.State.circuit
	ev := circuit.Report(p, out, now)
	switch ev.Kind {
	case breaker.Nothing:
		if out != breaker.Success && circuit.State() == breaker.HalfOpen && !circuit.Info(now).Probing {
			cl.halfOpen(h) // the probe said nothing: the next request is one
		}
		return ev
	case breaker.Ejected:
		cl.counts.ejections.Add(1)
		cl.show(h, breaker.Open, false)
		cl.arm(h, ev.Until.Sub(now))
	case breaker.Readmitted, breaker.NotEnforced:
		cl.show(h, breaker.Closed, true)
	}
	cl.balancer.Refresh(now)
	cl.engine.events.Circuit(cl, h, ev)
	return ev
}

// broke counts an answer that broke off as a failure of its host.
func (cl *Cluster) broke(h *Host, now time.Time) {
	if h.State.circuit.State() != breaker.Closed {
		return // an old answer is no probe
	}
	if permit, err := h.State.circuit.Allow(now); err == nil {
		cl.report(h, permit, breaker.LocalFailure, now)
	}
}

// show tells the balancer whether h may be picked, while its circuit is in the
// state that says so, and reports whether it is. Under the lock, so that what an
// earlier state called for does not come last. A closed circuit waits for nothing.
func (cl *Cluster) show(h *Host, in breaker.State, available bool) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	is := h.State.circuit.State() == in
	if is {
		h.SetAvailable(available)
		if in == breaker.Closed {
			cl.disarmLocked(&h.State.circuit)
		}
	}
	return is
}

// arm sets the timer that lets a host be probed: at the end of its ejection, or
// of the wait for a probe.
func (cl *Cluster) arm(h *Host, after time.Duration) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.closed {
		return
	}
	cl.disarmLocked(&h.State.circuit)
	var mine *time.Timer // written before cl.mu is let go, read under it
	mine = time.AfterFunc(after, func() { cl.due(h, &mine) })
	cl.timers[&h.State.circuit] = mine
}

func (cl *Cluster) disarm(c *breaker.Circuit) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.disarmLocked(c)
}

func (cl *Cluster) disarmLocked(c *breaker.Circuit) {
	if t := cl.timers[c]; t != nil {
		t.Stop()
		delete(cl.timers, c)
	}
}

// due is when a host's timer has gone off, unless another has taken its place since:
// a probe may fail in the moment in which the wait for it ends.
func (cl *Cluster) due(h *Host, timer **time.Timer) {
	if cl.strike(&h.State.circuit, timer) {
		cl.halfOpen(h)
	}
}

func (cl *Cluster) strike(c *breaker.Circuit, timer **time.Timer) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.timers[c] != *timer {
		return false
	}
	delete(cl.timers, c)
	return true
}

// halfOpen lets the next request probe a host whose ejection, or probe, is over.
func (cl *Cluster) halfOpen(h *Host) {
	now := time.Now()
	ev := h.State.circuit.Tick(now)
	if !cl.show(h, breaker.HalfOpen, true) {
		return
	}
	cl.balancer.Refresh(now)
	if ev.Kind != breaker.Nothing {
		cl.engine.events.Circuit(cl, h, ev)
	}
}
