package retry

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const defaultMinConcurrency = 3

// A BudgetConfig is Istio's retryBudget and, outside its schema, a rate.
type BudgetConfig struct {
	// Percent of the requests under way (or seen, see Interval) that may be
	// retries at the same time, 0 to 100. 0 leaves MinConcurrency alone; a rule
	// that does not write it means 20, see DefaultBudget.
	Percent float64
	// MinConcurrency is the number of concurrent retries that is always
	// allowed; 0: 3.
	MinConcurrency int
	// Interval > 0 takes Percent of the requests that began within the last
	// Interval, instead of those under way; 0: those under way.
	Interval time.Duration
	// PerSecond limits how often retries start, in bursts of up to one second's
	// worth; 0: no limit. Concurrency alone does not bound the rate: three
	// retries at a time are thousands a second where failures are quick.
	PerSecond float64
}

// DefaultBudget is what Istio's empty retryBudget means.
func DefaultBudget() BudgetConfig {
	return BudgetConfig{Percent: 20, MinConcurrency: defaultMinConcurrency}
}

// Validate names the first field that is out of its bounds.
func (c BudgetConfig) Validate() error {
	switch {
	case !(c.Percent >= 0 && c.Percent <= 100):
		return fmt.Errorf("retry budget: percent %v: want 0 to 100", c.Percent)
	case c.MinConcurrency < 0:
		return fmt.Errorf("retry budget: minimum concurrency %d: want 0 or more", c.MinConcurrency)
	case c.Interval < 0:
		return fmt.Errorf("retry budget: interval %v: want 0 or more", c.Interval)
	case !(c.PerSecond >= 0) || math.IsInf(c.PerSecond, 0):
		return fmt.Errorf("retry budget: %v per second: want a finite number, 0 or more", c.PerSecond)
	}
	return nil
}

// A Budget limits the retries of one destination together, where a policy's
// attempts are a limit per request: a failing destination is not drowned in
// them. It replaces a limit on concurrent retries (connectionPool's maxRetries). Hedged tries spend from it too; transparent
// replays of the transport do not.
//
// The zero Budget, and a nil one, allow everything. All methods are safe for
// concurrent use and lock nothing unless PerSecond is set.
type Budget struct {
	retries atomic.Int64
	terms   atomic.Pointer[terms] // nil: no budget
}

// terms are what a budget grants by, replaced as a whole.
//
// The concurrency rule is not a rate.Limiter: that refills at a constant pace,
// while this allowance follows the load and is given back when a retry ends.
// PerSecond is a pace, and is one.
type terms struct {
	of      BudgetConfig
	percent float64
	least   int64
	window  *window       // nil: requests under way
	pace    *rate.Limiter // nil: no limit
}

// Configure puts a configuration in force. Retries under way stay counted, and so
// does what an unchanged Interval has seen and an unchanged PerSecond has granted.
// After an error the previous terms stand.
func (b *Budget) Configure(c BudgetConfig) error {
	if err := c.Validate(); err != nil {
		return err
	}
	t := &terms{of: c, percent: c.Percent, least: int64(c.MinConcurrency)}
	if t.least == 0 {
		t.least = defaultMinConcurrency
	}
	old := b.terms.Load()
	if old == nil {
		old = new(terms)
	}
	t.window, t.pace = old.windowOf(c.Interval), old.paceOf(c.PerSecond)
	b.terms.Store(t)
	return nil
}

func (t *terms) windowOf(interval time.Duration) *window {
	switch {
	case interval == t.of.Interval:
		return t.window
	case interval > 0:
		return newWindow(interval)
	}
	return nil
}

func (t *terms) paceOf(perSecond float64) *rate.Limiter {
	switch {
	case perSecond == t.of.PerSecond:
		return t.pace
	case perSecond > 0:
		return rate.NewLimiter(rate.Limit(perSecond), int(math.Ceil(perSecond)))
	}
	return nil
}

// Remove lifts the budget: everything is allowed again. Retries under way stay
// counted for the next Configure.
func (b *Budget) Remove() { b.terms.Store(nil) }

// Observe counts a new request (not a retry) for budgets with an Interval. For
// others it costs one atomic load.
func (b *Budget) Observe(now time.Time) {
	if t := b.load(); t != nil {
		t.observe(now)
	}
}

// Acquire reports whether another retry may start, and counts it if so; then
// Release must follow when the retry has ended. inFlight is the destination's
// active and pending requests, which its owner counts already.
func (b *Budget) Acquire(inFlight int, now time.Time) bool {
	if b == nil {
		return true
	}
	t := b.terms.Load()
	if t == nil {
		b.retries.Add(1)
		return true
	}
	if !b.take(t.allowed(inFlight, now)) {
		return false
	}
	if t.pace != nil && !t.pace.AllowN(now, 1) {
		b.Release()
		return false
	}
	return true
}

// Release ends a retry that Acquire allowed.
func (b *Budget) Release() {
	if b != nil && b.retries.Add(-1) < 0 {
		panic("retry: Budget.Release without Acquire")
	}
}

// Retries is the number of retries under way.
func (b *Budget) Retries() int {
	if b == nil {
		return 0
	}
	return int(b.retries.Load())
}

// Allowed is how many concurrent retries the budget allows now; math.MaxInt
// without one.
func (b *Budget) Allowed(inFlight int, now time.Time) int {
	if t := b.load(); t != nil {
		return int(t.allowed(inFlight, now))
	}
	return math.MaxInt
}

func (b *Budget) load() *terms {
	if b == nil {
		return nil
	}
	return b.terms.Load()
}

// take counts one more retry unless that exceeds allowed.
func (b *Budget) take(allowed int64) bool {
	for {
		n := b.retries.Load()
		if n >= allowed {
			return false
		}
		if b.retries.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (t *terms) observe(now time.Time) {
	if t.window != nil {
		t.window.add(now)
	}
}

// Istio: "a budget of 20% with a minimum retry concurrency of 3 will allow 5
// active retries while there are 25 active requests. If there are 2 active
// requests, there are still 3 active retries allowed". Envoy truncates.
func (t *terms) allowed(inFlight int, now time.Time) int64 {
	base := int64(inFlight)
	if t.window != nil {
		base = t.window.count(now)
	}
	return max(t.least, int64(t.percent*float64(base)/100))
}
