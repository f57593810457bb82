package spiffe

import (
	"math/rand/v2"
	"time"

	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

const (
	firstPause = 100 * time.Millisecond
	maxPause   = 10 * time.Second
)

// pauses are the times to wait before a broken watch is taken up again: random,
// below a ceiling that doubles ("full jitter"), so that the workloads of a
// machine do not all come at once when its agent is back, as they would with
// go-spiffe's own 1 s, 2 s, 3 s.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
type pauses struct{ ceiling time.Duration }

// NewBackoff implements workloadapi.BackoffStrategy, for one watch.
func (p *pauses) NewBackoff() workloadapi.Backoff { return p }

// Next implements workloadapi.Backoff.
func (p *pauses) Next() time.Duration {
	p.ceiling = min(max(2*p.ceiling, firstPause), maxPause)
	return rand.N(p.ceiling + 1)
}

// Reset implements workloadapi.Backoff. It does nothing: go-spiffe calls it for
// malformed answers too, after which an agent is to be asked ever less often.
func (p *pauses) Reset() {}

// restart is for a good credential.
func (p *pauses) restart() { p.ceiling = 0 }
