package follow

import (
	"context"
	"errors"
	"iter"
)

// ErrClosed is what Ready returns when the loop was closed before its first value.
var ErrClosed = errors.New("closed before the first value")

// A Loop is Run in a goroutine, with an owner who must Close it.
type Loop struct {
	stop  context.CancelFunc
	ended chan struct{}

	ready chan struct{} // closed after the first value was applied or the first error reported
	first error         // that error; written before ready is closed
}

// Start runs Run until Close.
func Start[T any](watch func(context.Context) iter.Seq2[T, error], apply func(T), report func(error)) *Loop {
	ctx, stop := context.WithCancel(context.Background())
	l := &Loop{stop: stop, ended: make(chan struct{}), ready: make(chan struct{})}
	go func() {
		defer close(l.ended)
		Run(ctx, watch,
			func(v T) { apply(v); l.settle(nil) },
			func(err error) { report(err); l.settle(err) })
	}()
	return l
}

// settle is called only by the loop's goroutine.
func (l *Loop) settle(err error) {
	select {
	case <-l.ready:
	default:
		l.first = err
		close(l.ready)
	}
}

// Ready waits for whatever comes first: nil once a value has been applied, the
// error that came before any value, or the cause of ctx's end. An error does
// not end the loop: a value may come yet. Safe for concurrent use.
func (l *Loop) Ready(ctx context.Context) error {
	var err error
	select {
	case <-l.ready:
	case <-l.ended:
		err = ErrClosed
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	select {
	case <-l.ready: // wins over the others, where select may choose
		return l.first
	default:
		return err
	}
}

// Close stops the loop and waits until neither apply nor report will be called
// any more. It may be called many times, and from many goroutines, but not from
// apply or report.
func (l *Loop) Close() {
	l.stop()
	<-l.ended
}
