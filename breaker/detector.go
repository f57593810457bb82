package breaker

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// A Detector holds what the hosts of one destination share: the Outlier in
// force, and how many of them may be ejected. A Detector must not be copied;
// it is made by NewDetector.
type Detector struct {
	outlier atomic.Pointer[Outlier] // never nil; stored under mu

	// mu orders membership, so that two hosts that fail at once do not take the
	// last free place both. A circuit's lock may be held when it is taken, never
	// the other way round.
	mu      sync.Mutex
	members set
	out     set // the members that are ejected or half-open
}

// A set holds circuits. Percentages come from its size: a number that is
// counted up and down could come to disagree with the hosts, and asking ten
// thousand of them at each failure is too slow just when all of them fail.
type set map[*Circuit]struct{}

func (s set) add(c *Circuit) { s[c] = struct{}{} }

func (s set) has(c *Circuit) bool {
	_, ok := s[c]
	return ok
}

// NewDetector returns a Detector without hosts.
func NewDetector(o Outlier) *Detector {
	d := &Detector{members: make(set), out: make(set)}
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
	return slices.Collect(maps.Keys(d.members))
}

// NewCircuit adds a host, closed. Forget must follow when the host leaves the
// destination.
func (d *Detector) NewCircuit() *Circuit {
	c := new(Circuit)
	d.Join(c)
	return c
}

// Join is NewCircuit for a zero Circuit that stands somewhere already, say beside
// what else is kept of the host.
func (d *Detector) Join(c *Circuit) {
	c.detector = d
	c.word.Store(wordOf(1, Closed))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.members.add(c)
}

// Forget removes a host, ejected or not: it no longer counts in any percentage
// and can no longer be ejected. To forget it again does nothing.
func (d *Detector) Forget(c *Circuit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.members, c)
	delete(d.out, c)
}

// Hosts returns how many hosts there are, and how many of them are ejected or
// half-open.
func (d *Detector) Hosts() (all, out int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.members), len(d.out)
}

// A ruling is the fleet's answer when a host is about to be ejected.
type ruling uint8

const (
	eject      ruling = iota
	noRoom            // too many others are out
	undetected        // detection is off, or the host forgotten
)

// takeOut rules on c, and counts it among those that are out if it is to go.
func (d *Detector) takeOut(c *Circuit) ruling {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.outlier.Load()
	switch {
	case !o.Enabled || !d.members.has(c):
		return undetected
	case !d.roomLocked(c, o):
		return noRoom
	}
	d.out.add(c)
	return eject
}

// roomLocked is Envoy's rule: the percentage that the ejection would lead to is
// compared, not the present one.
func (d *Detector) roomLocked(c *Circuit, o *Outlier) bool {
	others := len(d.out)
	if d.out.has(c) {
		others--
	}
	if o.AlwaysEjectOne && others == 0 {
		return true
	}
	return (others+1)*100 <= o.MaxEjectionPercent*len(d.members)
}

// takeBack says that c is in rotation.
func (d *Detector) takeBack(c *Circuit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.out, c)
}
