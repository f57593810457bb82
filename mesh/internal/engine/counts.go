package engine

import (
	"math"
	"sync/atomic"
	"time"
)

// Counts are what has happened at a cluster since it came to life, beside what
// went well: that costs nothing.
type Counts struct {
	Retries        uint64 // tries that followed another
	RetriesRefused uint64 // for there was no room in the budget, or under the limit
	Overflows      uint64 // calls that a limit ended
	Ejections      uint64
}

type counters struct{ retries, refused, overflows, ejections atomic.Uint64 }

// Counts returns them. They are read one after the other.
func (cl *Cluster) Counts() Counts {
	n := &cl.counts
	return Counts{n.retries.Load(), n.refused.Load(), n.overflows.Load(), n.ejections.Load()}
}

// Retries is how many are under way, and how many may be; negative: any number.
func (cl *Cluster) Retries(now time.Time) (active, most int) {
	usage := cl.gate.Usage()
	if cl.Spec().Budget != nil {
		return cl.budget.Retries(), cl.budget.Allowed(usage.Requests, now)
	}
	if m := cl.gate.Limits().MaxRetries; m > 0 && m < math.MaxInt32 {
		return usage.Retries, int(m)
	}
	return usage.Retries, -1
}
