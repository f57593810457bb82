package engine

import (
	"context"
	"errors"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// ErrUnknownHost is why a host is refused where only known ones are allowed.
var ErrUnknownHost = errors.New("no rule and no source knows the host")

// unknown decides about a host that no rule names: a source may know it.
func (e *Engine) unknown(ctx context.Context, s *state, c *Call) (known bool, err error) {
	if c.Via != "" { // nobody has to be found
		return false, nil
	}
	if e.config.Discovery != nil {
		known, err = e.discover(ctx, s, c)
	}
	if !known && err == nil && e.config.RegistryOnly {
		err = c.refuse(0, ErrUnknownHost.Error(), ErrUnknownHost)
	}
	return known, err
}

// discover asks the configured source for the host and gives it a default route.
func (e *Engine) discover(ctx context.Context, s *state, c *Call) (bool, error) {
	v, ok := s.unknown.Load(c.Target.Name)
	if !ok {
		vh := s.plan.Default(c.Target.Name)
		key := s.plan.Key(&vh.Routes[0].Destinations[0], c.Target)
		if e.strangers.remembers(key, c.Start) {
			return false, nil
		}
		if e.crowded(key) {
			return false, c.uninvited()
		}
		v, _ = s.unknown.LoadOrStore(c.Target.Name, vh)
	}
	vh := v.(*plan.VirtualHost)
	cl := e.cluster(s, &vh.Routes[0].Destinations[0], &c.Target)
	if !cl.ready() {
		if err := cl.await(ctx, c); err != nil {
			return false, err
		}
	}
	if cl.strange() {
		e.meet(c.Target.Name, cl)
		return false, nil
	}
	if cl.silent() && !s.plan.Local(c.Target.Name) {
		return false, nil
	}
	c.Target.VirtualHost = vh
	return true, nil
}

// strange reports that the source knows no such service.
func (cl *Cluster) strange() bool { return cl.upstream != nil && cl.upstream.unknown() }

// silent reports that the source has never said who there is: it was not asked if
// the engine is closed.
func (cl *Cluster) silent() bool { return cl.upstream == nil || cl.upstream.silent() }

var errCrowded = errors.New("too many hosts that no rule names are watched")

// uninvited decides about a host for which there is no room. What is local can be
// nobody else's: to pass it on would be to send it in the clear, past all rules.
func (c *Call) uninvited() error {
	if !c.state.plan.Local(c.Target.Name) {
		return nil
	}
	return c.refuse(Overflow, errCrowded.Error(), errCrowded)
}

// maxClusters bounds how many clusters come to life for hosts that only
// discovery knows: a program that calls ever new hosts (a crawler) must not
// watch them all. Hosts that rules name are not bounded.
const maxClusters = 1 << 14

// crowded says that there is no room for another cluster.
func (e *Engine) crowded(key plan.ClusterKey) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.clusters) >= maxClusters && e.clusters[key] == nil
}
