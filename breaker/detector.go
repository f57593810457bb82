package breaker

import (
	"sync"
	"sync/atomic"
)

// A Detector holds what the hosts of one destination share: the Outlier in
// force, and how many of them may be ejected. A Detector must not be copied;
// it is made by NewDetector.
type Detector struct {
	outlier atomic.Pointer[Outlier] // never nil; stored under mu

	// mu lets one ejection at a time be decided, so that two hosts that fail at
	// once do not take the last free place both. A circuit's lock may be held
	// when it is taken, never the other way round.
	mu      sync.Mutex
	members map[*Circuit]struct{}
}

// NewDetector returns a Detector without hosts.
func NewDetector(o Outlier) *Detector {
	d := &Detector{members: make(map[*Circuit]struct{})}
	d.outlier.Store(o.completed())
	return d
}

// Configure puts o in force. Counts and ejections go on, the latter until
// the time that they were given; an o that is not Enabled readmits every host
// and forgets. The owner looks at each Circuit's State afterwards.
func (d *Detector) Configure(o Outlier) {
	members := d.replace(o.completed())
	if o.Enabled {
		return
	}
	for _, c := range members {
		c.reset()
	}
}

func (d *Detector) replace(o *Outlier) []*Circuit {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.outlier.Store(o)
	members := make([]*Circuit, 0, len(d.members))
	for c := range d.members {
		members = append(members, c)
	}
	return members
}

// NewCircuit adds a host, closed. Forget must follow when the host leaves the
// destination.
func (d *Detector) NewCircuit() *Circuit {
	c := &Circuit{detector: d}
	c.word.Store(wordOf(1, Closed))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.members[c] = struct{}{}
	return c
}

// Forget removes a host, ejected or not: it no longer counts in any percentage
// and can no longer be ejected. To forget it again does nothing.
func (d *Detector) Forget(c *Circuit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.members, c)
}

// Hosts returns how many hosts there are, and how many of them are ejected or
// half-open.
func (d *Detector) Hosts() (all, out int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.members), d.outLocked(nil)
}

// outLocked counts the members other than c that are ejected or half-open. It
// asks them all: a number kept beside their states could disagree with them.
func (d *Detector) outLocked(c *Circuit) int {
	out := 0
	for m := range d.members {
		if m != c && m.State() != Closed {
			out++
		}
	}
	return out
}

// mayEjectLocked is Envoy's rule: the percentage that the ejection would lead
// to is compared, not the present one.
func (d *Detector) mayEjectLocked(c *Circuit) bool {
	o := d.outlier.Load()
	out := d.outLocked(c)
	if o.AlwaysEjectOne && out == 0 {
		return true
	}
	return (out+1)*100 <= o.MaxEjectionPercent*len(d.members)
}

// detectsLocked reports whether c can be ejected at all.
func (d *Detector) detectsLocked(c *Circuit) bool {
	_, member := d.members[c]
	return member && d.outlier.Load().Enabled
}
