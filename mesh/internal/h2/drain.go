package h2

import (
	"maps"
	"net/http"
	"slices"
)

// Drain has each connection end with the requests that it carries: those that stand,
// and those that will be made from now on.
func (p *Pool) Drain() {
	p.mu.Lock()
	p.drained = true
	names := slices.Collect(maps.Keys(p.hosts))
	p.mu.Unlock()
	for _, name := range names {
		p.DrainTo(name)
	}
}

// DrainTo has those to one host end so that stand, or are being made.
func (p *Pool) DrainTo(name string) {
	for _, c := range p.lastOf(name) {
		c.endUnused()
	}
}

// lastOf has no more requests sent over the connections to a host.
func (p *Pool) lastOf(name string) []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[name]
	if h == nil {
		return nil
	}
	h.era, h.next = h.era+1, nil
	for _, c := range h.conns {
		c.final = true
	}
	return slices.Clone(h.conns)
}

// endUnused closes a connection that is final as soon as it carries nothing.
func (c *conn) endUnused() {
	c.SetStateHook(closeUnused)
	closeUnused(c.ClientConn)
}

// closeUnused is told of each request that has ended, by whom a farewell would hold up.
func closeUnused(c *http.ClientConn) {
	if c.InFlight() == 0 {
		go func() { _ = c.Close() }()
	}
}
