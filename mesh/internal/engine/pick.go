package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/breaker"
)

// proposals bounds how often the balancer is asked anew when a circuit refuses
// what it proposed, which happens only while circuits change state.
const proposals = 8

var (
	errNoHealthy   = errors.New("no healthy endpoint")
	errNoEndpoints = errors.New("no endpoint")
)

// pick finds a host that may be sent to now.
func (cl *Cluster) pick(c *Call) (*Host, breaker.Permit, error) {
	if c.Tries > 0 || c.hashed || c.Flight == nil {
		return cl.choose(c, nil)
	}
	h := cl.balancer.Any(c.Flight.dice.roll()) // for most calls any host will do
	if h != nil {
		if permit, ok := h.State.circuit.Pass(); ok {
			return h, permit, nil
		}
	}
	return cl.choose(c, h)
}

// choose has the balancer propose hosts, unless one has been proposed, until a circuit
// agrees. In a panic, when too few hosts are healthy, circuits are not asked.
func (cl *Cluster) choose(c *Call, h *Host) (*Host, breaker.Permit, error) {
	now := c.sent
	if c.Tries > 0 {
		now = time.Now()
	}
	p := balancer.Pick[HostState]{Hash: c.hash, HasHash: c.hashed, Tried: c.tried, SkipPriorities: c.skip, Now: now}
	if c.Flight != nil {
		p.Random = c.Flight.dice.roll()
	}
	for range proposals {
		if h == nil {
			if h = cl.balancer.Pick(p); h == nil {
				break
			}
		}
		permit, err := h.State.circuit.Allow(now)
		if err == nil {
			if h.State.circuit.State() == breaker.HalfOpen {
				cl.probing(h)
			}
			return h, permit, nil
		}
		if cl.balancer.Panicking(h) {
			return h, breaker.Permit{}, nil
		}
		p.Tried, h = append(slices.Clip(p.Tried), h), nil // a hash would come back to it
	}
	return nil, breaker.Permit{}, cl.unhealthy()
}

// probing takes a host out of rotation while its one probe is under way, but for
// no longer than its circuit waits for one.
func (cl *Cluster) probing(h *Host) {
	cl.show(h, breaker.HalfOpen, false)
	cl.arm(h, cl.Spec().Outlier.BaseEjectionTime)
}

// unhealthy says why there was nothing to pick.
func (cl *Cluster) unhealthy() error {
	if n := len(cl.Hosts()); n > 0 {
		return errNoHealthy
	}
	if cl.upstream != nil {
		if err := cl.upstream.trouble(); err != nil {
			return err
		}
	}
	if labels := cl.Spec().Labels; len(labels) > 0 {
		return fmt.Errorf("no endpoint has the subset's labels, %s", written(labels))
	}
	return errNoEndpoints
}

// written is labels as people write them: app=reviews,version=v1.
func written(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, name+"="+labels[name])
	}
	return strings.Join(all, ",")
}
