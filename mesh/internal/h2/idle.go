package h2

import (
	"maps"
	"slices"
)

// CloseIdle closes the connections that carry nothing.
func (p *Pool) CloseIdle() {
	p.mu.Lock()
	names := slices.Collect(maps.Keys(p.hosts))
	p.mu.Unlock()
	for _, name := range names {
		for _, c := range p.takeIdle(name) {
			_ = c.Close()
		}
	}
}

// takeIdle takes out of the pool what carries nothing, so that nothing will.
func (p *Pool) takeIdle(name string) (idle []*conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[name]
	if h == nil {
		return nil
	}
	h.conns = slices.DeleteFunc(h.conns, func(c *conn) bool {
		unused := c.InFlight() == 0
		if unused {
			idle = append(idle, c)
		}
		return unused
	})
	p.tidy(name, h)
	return idle
}

// forget drops a connection that has ended.
func (p *Pool) forget(name string, c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.hosts[name]; h != nil {
		h.conns = slices.DeleteFunc(h.conns, func(other *conn) bool { return other == c })
		p.tidy(name, h)
	}
}

// tidy forgets a host of which nothing is left. p.mu is held.
func (p *Pool) tidy(name string, h *host) {
	if len(h.conns) == 0 && h.making == 0 {
		delete(p.hosts, name)
	}
}
