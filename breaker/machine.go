package breaker

import (
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"
)

// What a probe can tell gobreaker, besides nil.
var (
	errFailed  = errors.New("failed")
	errNothing = errors.New("no verdict")
)

// A machine is a host's gobreaker, made when the host is first ejected. It
// keeps the rules of the cold path: which state follows which, and that a
// half-open host has one probe. Its caller holds the circuit's lock.
type machine struct {
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	done    func(error) // of the request under way; nil: none
}

func newBreaker() *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: 1,
		// The circuit knows when an ejection ends; by then this has passed.
		Timeout:     time.Nanosecond,
		ReadyToTrip: func(gobreaker.Counts) bool { return true }, // the circuit counts
		IsExcluded:  func(err error) bool { return errors.Is(err, errNothing) },
	})
}

// trip opens the breaker: closed, or half-open with its probe under way.
func (m *machine) trip() {
	if m.breaker == nil {
		m.breaker = newBreaker()
	}
	if m.done == nil {
		m.done, _ = m.breaker.Allow() // closed, so it allows
	}
	m.finish(errFailed)
}

// probe lets one request through, if none is.
func (m *machine) probe() error {
	done, err := m.breaker.Allow()
	switch {
	case errors.Is(err, gobreaker.ErrTooManyRequests):
		return ErrProbing
	case err != nil:
		return ErrOpen // its clock has not moved since the trip: ask again
	}
	m.done = done
	return nil
}

func (m *machine) probing() bool { return m.done != nil }

// readmit closes the breaker after its probe.
func (m *machine) readmit() { m.finish(nil) }

// giveUp frees the place of the probe without a verdict.
func (m *machine) giveUp() { m.finish(errNothing) }

func (m *machine) finish(err error) {
	done := m.done
	m.done = nil
	done(err)
}
