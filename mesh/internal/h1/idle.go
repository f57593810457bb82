package h1

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// idle is the connections that carry nothing, by host. The last one that was put
// back is the first to be taken: its buffers are warm, and the others may age.
//
// One timer closes those whose time is up. It is set for the first of them and
// only ever brought forward, so that a busy pool hardly touches it. When it rings,
// those whose time is almost up go too, and sockets are looked at a little before
// it is their turn: so it rings seldom, however many connections there are.
type idle struct {
	config *Config

	mu      sync.Mutex // guards all below, and what is idle in conns
	stacks  map[string]*stack
	closing bool // until the next request
	timer   *time.Timer
	due     time.Time // when timer rings; zero: it does not
}

// A stack is in the order in which its conns became idle.
type stack struct{ conns []*conn }

// take returns a connection that can carry a request, or nil.
func (i *idle) take(host string) *conn {
	for {
		c := i.pop(host)
		if c == nil || c.wake(time.Now()) {
			return c
		}
		c.close()
	}
}

func (i *idle) pop(host string) *conn {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closing = false
	s := i.stacks[host]
	if s == nil || len(s.conns) == 0 {
		return nil
	}
	last := len(s.conns) - 1
	c := s.conns[last]
	s.conns[last] = nil
	s.conns = s.conns[:last]
	return c
}

// put reports false if the connection is not to be kept.
func (i *idle) put(c *conn) bool {
	now := time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.stacks[c.host]
	if s == nil {
		s = new(stack)
	}
	full := i.config.MaxIdle > 0 && len(s.conns) >= i.config.MaxIdle
	if i.closing || full {
		return false
	}
	s.conns = append(s.conns, c)
	if len(s.conns) == 1 {
		i.stacks[c.host] = s
	}
	c.idleSince = now
	c.watch.begin(c, now)
	i.armLocked(c.due())
	return true
}

// remove reports whether c was idle.
func (i *idle) remove(c *conn) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.stacks[c.host]
	if s == nil {
		return false
	}
	at := slices.Index(s.conns, c)
	if at >= 0 {
		s.conns = slices.Delete(s.conns, at, at+1)
	}
	return at >= 0
}

// armLocked sets the timer, if it would ring later.
func (i *idle) armLocked(at time.Time) {
	if at.IsZero() || !i.due.IsZero() && !at.Before(i.due) {
		return
	}
	i.due = at
	if i.timer == nil {
		i.timer = time.AfterFunc(time.Until(at), i.ring)
	} else {
		i.timer.Reset(time.Until(at))
	}
}

// ring is the timer's. It looks at one host at a time, so that requests need not
// wait until it has looked at all.
func (i *idle) ring() {
	now := time.Now()
	for _, host := range i.hosts() {
		closeAll(i.prune(host, now))
	}
}

func (i *idle) hosts() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.due = time.Time{}
	return slices.Collect(maps.Keys(i.stacks))
}

// prune takes out the connections to a host whose time is up.
func (i *idle) prune(host string, now time.Time) (out []*conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.stacks[host]
	if s == nil {
		return nil
	}
	s.conns = slices.DeleteFunc(s.conns, func(c *conn) bool {
		if c.expiring(now) || c.watch.lost(now) {
			out = append(out, c)
			return true
		}
		i.armLocked(c.due())
		return false
	})
	if len(s.conns) == 0 {
		delete(i.stacks, host)
	}
	return out
}

func (i *idle) clear() (out []*conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closing = true
	for _, s := range i.stacks {
		out = append(out, s.conns...)
	}
	clear(i.stacks)
	if i.timer != nil {
		i.timer.Stop()
		i.due = time.Time{}
	}
	return out
}

func (i *idle) clearHost(host string) []*conn {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.stacks[host]
	if s == nil {
		return nil
	}
	delete(i.stacks, host)
	return s.conns
}
