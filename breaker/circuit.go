package breaker

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// What Allow returns for a host that is not in rotation.
var (
	ErrOpen    = errors.New("circuit open: the host is ejected")
	ErrProbing = errors.New("circuit half-open: the host's one probe is under way")
)

// A Permit is Allow's leave to send one request, to be handed to Report. It
// names the circuit's generation, so that an outcome from before a change of
// state counts for nothing. The zero Permit is void; it fits requests that were
// sent without asking, to a host that is ejected, in a panic.
type Permit struct{ word uint64 }

// A Circuit is the state of one host: closed, open (ejected) or half-open.
// Detector.NewCircuit makes it, or Detector.Join where it stands. A Circuit must
// not be copied.
type Circuit struct {
	word atomic.Uint64 // all that a healthy host is asked for; see wordOf. Stored under mu

	detector *Detector
	mu       sync.Mutex // orders all changes of state with the counts that cause them; guards past
	*past               // nil: there has been no failure
}

// A past is what a circuit knows of failures. Most hosts of most fleets have none,
// and are the smaller for it.
type past struct {
	counts   counts
	machine  machine
	probedAt time.Time
	ejection ejection
}

// A word is the State in the lowest bits, none of which is set for Closed, then
// whether failures have been counted since the last success, then the generation.
const (
	stateBits = 2
	stateMask = 1<<stateBits - 1
	failing   = 1 << stateBits
)

func wordOf(generation uint64, s State) uint64 { return generation<<(stateBits+1) | uint64(s) }
func stateOf(word uint64) State                { return State(word & stateMask) }
func generationOf(word uint64) uint64          { return word >> (stateBits + 1) }

// State returns where the circuit stands; one atomic load.
func (c *Circuit) State() State { return stateOf(c.word.Load()) }

// Pass is Allow where the circuit is closed: one atomic load, and no need of the time.
// If it reports false, it has done nothing.
func (c *Circuit) Pass() (p Permit, ok bool) {
	p.word = c.word.Load()
	return p, p.word&stateMask == 0
}

// Allow admits a request to the host. For a closed circuit that is one atomic
// load. A half-open one admits a single probe; while its outcome is awaited,
// others get ErrProbing. An ejected host gives ErrOpen; it becomes half-open
// here too if now is not before the end of the ejection. Report must follow
// every Permit; a probe that has not reported within the base ejection time is
// given up, and the next request is the probe.
func (c *Circuit) Allow(now time.Time) (p Permit, err error) {
	if p.word = c.word.Load(); p.word&stateMask != 0 {
		p, err = c.allowProbe(now)
	}
	return // of a healthy host, in its caller's code
}

func (c *Circuit) allowProbe(now time.Time) (Permit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tickLocked(now)
	switch c.State() {
	case Closed: // readmitted since Allow looked
		return Permit{c.word.Load()}, nil
	case Open:
		return Permit{}, ErrOpen
	}
	if c.machine.probing() && now.Sub(c.probedAt) >= c.detector.outlier.Load().BaseEjectionTime {
		c.giveUpLocked()
	}
	if err := c.machine.probe(); err != nil {
		return Permit{}, err
	}
	c.probedAt = now
	return Permit{c.moveLocked(HalfOpen)}, nil
}

// Report tells how the permitted request ended, and returns what that changed.
// Each Permit is reported once. When out is Success and there were no failures
// before it, Report is one atomic load too.
func (c *Circuit) Report(p Permit, out Outcome, now time.Time) (ev Event) {
	if out != Success || c.word.Load()&(stateMask|failing) != 0 {
		ev = c.report(p, out, now)
	}
	return // of a healthy host's success, in its caller's code
}

// Untroubled reports whether Report of a Success would change nothing; one atomic
// load.
func (c *Circuit) Untroubled(p Permit) bool {
	return stateOf(p.word) == Closed && c.word.Load()&failing == 0
}

func (c *Circuit) report(p Permit, out Outcome, now time.Time) Event {
	o := c.detector.outlier.Load()
	switch {
	case !o.Enabled: // Configure has reset the circuit, or is about to
		return Event{}
	case out == Ignored && stateOf(p.word) == Closed: // it says nothing, and was no probe
		return Event{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if generationOf(c.word.Load()) != generationOf(p.word) {
		return Event{}
	}
	if c.State() == HalfOpen {
		return c.judgeLocked(out, o, now)
	}
	if c.past == nil {
		c.past = new(past)
	}
	reason := c.counts.add(out, o)
	c.markLocked(!c.counts.zero())
	if reason != NoReason {
		return c.ejectLocked(reason, o, now)
	}
	return Event{}
}

// Tick tells the circuit that it is now. It is HalfOpened when the ejection's
// end, Event.Until, is not after now; otherwise nothing happens.
func (c *Circuit) Tick(now time.Time) Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tickLocked(now)
}

func (c *Circuit) tickLocked(now time.Time) Event {
	if c.State() != Open || now.Before(c.ejection.until) {
		return Event{}
	}
	c.moveLocked(HalfOpen)
	return Event{Kind: HalfOpened}
}

// judgeLocked lets the probe's outcome decide.
func (c *Circuit) judgeLocked(out Outcome, o *Outlier, now time.Time) Event {
	switch {
	case o.fails(out):
		return c.ejectLocked(Probe, o, now)
	case o.clears(out):
		c.closeLocked(now)
		return Event{Kind: Readmitted}
	}
	c.giveUpLocked()
	return Event{}
}

// giveUpLocked makes room for another probe; the permit of this one is void.
func (c *Circuit) giveUpLocked() {
	c.machine.giveUp()
	c.moveLocked(HalfOpen)
}

// ejectLocked ejects the host if its fleet agrees.
func (c *Circuit) ejectLocked(reason Reason, o *Outlier, now time.Time) Event {
	switch c.detector.takeOut(c) {
	case noRoom:
		c.stayLocked(now)
		return Event{Kind: NotEnforced, Reason: reason}
	case undetected:
		c.stayLocked(now)
		return Event{}
	}
	c.ejection.begin(reason, o, now)
	c.counts.clear()
	c.machine.trip()
	c.moveLocked(Open)
	return Event{Kind: Ejected, Reason: reason, Times: c.ejection.times, Until: c.ejection.until}
}

// stayLocked leaves a host that cannot be ejected in rotation, or takes it back.
func (c *Circuit) stayLocked(now time.Time) {
	if c.State() == HalfOpen {
		c.closeLocked(now)
	}
}

func (c *Circuit) closeLocked(now time.Time) {
	c.machine.readmit()
	c.ejection.end(now)
	c.counts.clear()
	c.inRotationLocked()
}

// reset makes the circuit as new; permits from before are void.
func (c *Circuit) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.past = nil
	c.inRotationLocked()
}

func (c *Circuit) inRotationLocked() {
	c.detector.takeBack(c)
	c.moveLocked(Closed)
}

// markLocked says in the word whether there are failures.
func (c *Circuit) markLocked(are bool) {
	word := c.word.Load() &^ failing
	if are {
		word |= failing
	}
	c.word.Store(word)
}

// moveLocked enters a state, in a new generation. Nothing has been counted in it.
func (c *Circuit) moveLocked(s State) uint64 {
	word := wordOf(generationOf(c.word.Load())+1, s)
	c.word.Store(word)
	return word
}
