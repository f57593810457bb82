package rules

import "fmt"

// The bounds of what is told: who has a hundred things to mend in an object
// needs no more today.
const (
	maxObjectFaults = 100
	maxFileFaults   = 1000
)

// A tally collects faults up to a bound, counts the others, and never leaves
// out one that is worse than all before it.
type tally struct {
	faults Faults
	untold int
}

func (t *tally) append(f Fault, limit int) {
	if len(t.faults) < limit || f.Severity > t.faults.Worst() {
		t.faults = append(t.faults, f)
		return
	}
	t.untold++
}

// invalids counts what was told as Invalid, or not told.
func (t *tally) invalids() int {
	n := t.untold
	for i := range t.faults {
		if t.faults[i].Severity == Invalid {
			n++
		}
	}
	return n
}

// all are the faults, and how many were not told.
func (t *tally) all(where Fault) Faults {
	if t.untold == 0 {
		return t.faults
	}
	where.Severity, where.Message = Warning, fmt.Sprintf("%d more faults are not told", t.untold)
	return append(t.faults, where)
}
