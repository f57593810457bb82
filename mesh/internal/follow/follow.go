package follow

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

const (
	firstPause = 100 * time.Millisecond
	maxPause   = 30 * time.Second
)

// ErrEnded is reported (wrapped) when a sequence ended though its context had not.
var ErrEnded = errors.New("watch ended")

// Run follows watch until ctx ends: each good value goes to apply, each error
// to report. A sequence that ends early is reported as ErrEnded and started
// again with full-jitter back-off. Run blocks; after ctx has ended it calls
// neither function any more. A panic in watch, apply or report is not caught.
func Run[T any](ctx context.Context, watch func(context.Context) iter.Seq2[T, error], apply func(T), report func(error)) {
	var pause backoff
	for ctx.Err() == nil {
		if once(ctx, watch, apply, report) {
			pause = backoff{}
		}
		if ctx.Err() != nil {
			return
		}
		d := pause.next()
		report(fmt.Errorf("%w: starting it again in %v", ErrEnded, d))
		sleep(ctx, d)
	}
}

// once ranges over the sequence to its end, and reports whether it yielded a
// good value.
func once[T any](ctx context.Context, watch func(context.Context) iter.Seq2[T, error], apply func(T), report func(error)) (good bool) {
	for value, err := range watch(ctx) {
		switch {
		case ctx.Err() != nil:
			return good
		case err != nil:
			report(err)
		default:
			good = true
			apply(value)
		}
	}
	return good
}

// A backoff draws pauses between 0 and a ceiling that doubles: "full jitter",
// which spreads a fleet whose common source has restarted.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
type backoff struct{ ceiling time.Duration }

func (b *backoff) next() time.Duration {
	b.ceiling = min(max(2*b.ceiling, firstPause), maxPause)
	return rand.N(b.ceiling + 1)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
