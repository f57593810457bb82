package breaker

import (
	"fmt"
	"time"
)

// State is where a Circuit stands.
type State uint8

// The states of a circuit.
const (
	Closed   State = iota // in rotation
	Open                  // ejected
	HalfOpen              // one probe may go
)

// String returns "closed", "open" or "half-open".
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case Open:
		return "open"
	case HalfOpen:
		return "half-open"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Kind is what happened to a host.
type Kind uint8

// The kinds of events.
const (
	Nothing     Kind = iota
	Ejected          // Closed or HalfOpen → Open
	HalfOpened       // Open → HalfOpen
	Readmitted       // HalfOpen → Closed
	NotEnforced      // ejection was due, but too many hosts are out: the host is Closed
)

// String returns "nothing", "ejected", "half-opened", "readmitted" or "not enforced".
func (k Kind) String() string {
	names := [...]string{"nothing", "ejected", "half-opened", "readmitted", "not enforced"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// An Event is a change of a host's circuit. The zero Event is no change.
type Event struct {
	Kind   Kind
	Reason Reason    // of Ejected and NotEnforced
	Times  int       // of Ejected: what multiplies the base ejection time
	Until  time.Time // of Ejected: when to call Tick
}
