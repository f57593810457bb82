package retry

import (
	"fmt"
	"time"
)

// A Hedge starts further tries of a request while the first has not answered
// yet; the first answer wins. It stands outside Istio's schema. The zero Hedge
// starts none.
//
// Hedges are tries like others: each takes one from the destination's Budget
// before it starts, and one that lost is cancelled and must not count as a
// failure of its host.
type Hedge struct {
	// Delay is the time between the starts of two tries; it must be more than 0
	// where Max is, for hedging without a delay doubles all load.
	Delay time.Duration
	// Max is the number of tries besides the first; 0: no hedging.
	Max int
}

// Validate names the field that is out of its bounds.
func (h Hedge) Validate() error {
	switch {
	case h.Max < 0:
		return fmt.Errorf("hedge: maximum %d: want 0 or more", h.Max)
	case h.Max > 0 && h.Delay <= 0:
		return fmt.Errorf("hedge: delay %v: want more than 0 where the maximum is %d", h.Delay, h.Max)
	}
	return nil
}

// May reports whether a request may be hedged at all: it must be idempotent and
// replayable, for hedging executes it more than once.
func (h Hedge) May(t Try) bool {
	return h.Max > 0 && h.Delay > 0 && t.Idempotent && !t.Unreplayable
}

// Next is when the next try may start, when started hedges are under way
// already (0: only the first try is) and the last try began at last. It is
// false when no more may start, or none before the deadline (zero: none).
func (h Hedge) Next(started int, last, deadline time.Time) (time.Time, bool) {
	if started >= h.Max || h.Delay <= 0 {
		return time.Time{}, false
	}
	at := last.Add(h.Delay)
	if !deadline.IsZero() && !at.Before(deadline) {
		return time.Time{}, false
	}
	return at, true
}
