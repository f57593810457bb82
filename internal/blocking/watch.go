package blocking

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/time/rate"
)

// A Query asks once, with the given options; a method of an api.Client, mostly.
type Query[T any] func(*api.QueryOptions) (T, *api.QueryMeta, error)

// An Answer is what Consul said.
type Answer[T any] struct {
	Value T
	// Index is Consul's own version of the answer.
	Index uint64
	// Known is when the answer was certainly up to date: when it came, less the
	// time since the server that gave it last heard from the leader. An answer that
	// does not say has that of the one before.
	Known time.Time
	// DefaultPolicy is the cluster's default ACL policy, "allow" or "deny"; ""
	// where the answer does not say.
	DefaultPolicy string
}

// Watch asks q again and again until ctx ends. It yields every answer, also
// those that say the same as the one before: they are proof that Consul lives.
// An error is news, not the end.
func Watch[T any](ctx context.Context, c Config, q Query[T]) iter.Seq2[Answer[T], error] {
	c = c.withDefaults()
	return func(yield func(Answer[T], error) bool) {
		w := watch{config: c, pace: rate.NewLimiter(rate.Every(c.Interval), burst)}
		for w.await(ctx) {
			answer, err := ask(ctx, &w, q)
			if ctx.Err() != nil || !yield(answer, err) {
				return
			}
			w.settle(ctx, answer.Index, err)
		}
	}
}

// watch is the state of one iteration.
type watch struct {
	config Config
	pace   *rate.Limiter
	cursor cursor
	pauses Pauses

	known   time.Time // when what is known was certainly up to date
	checked time.Time // when that was asked for last
}

// await returns when the next query may be sent; false: ctx has ended. The
// limiter's own Wait ends before a deadline, when it sees it coming.
func (w *watch) await(ctx context.Context) bool {
	Sleep(ctx, w.pace.Reserve().Delay())
	return ctx.Err() == nil
}

func ask[T any](ctx context.Context, w *watch, q Query[T]) (Answer[T], error) {
	limit := w.config.limit(w.cursor)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	value, meta, err := q(w.options(ctx))
	if err != nil {
		return Answer[T]{}, explain(ctx, err)
	}
	w.certify(meta, time.Now())
	return Answer[T]{value, meta.LastIndex, w.known, meta.DefaultACLPolicy}, nil
}

// certify reads how old an answer may be. Of queries that wait, agents that stream
// (Consul 1.10 and later) say neither whether there is a leader nor how long ago that
// was, and answer so also when they are cut off from him for good. Of others they do.
func (w *watch) certify(meta *api.QueryMeta, now time.Time) {
	if meta.KnownLeader || meta.LastContact > 0 || w.cursor.index == 0 {
		w.known, w.checked = now.Add(-meta.LastContact), now
	}
}

// explain says that the time was up, where that is why a query has failed.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

func (w *watch) options(ctx context.Context) *api.QueryOptions {
	o := w.config.Options
	o.AllowStale = true
	o.WaitIndex, o.WaitTime = w.cursor.index, w.config.Wait
	return o.WithContext(ctx)
}

// settle says how to go on after an answer or an error, and pauses after the
// latter. What follows is a query that does not wait: one that does would tell
// of the end of the trouble when something changes, or after the wait.
func (w *watch) settle(ctx context.Context, index uint64, err error) {
	if err == nil {
		w.cursor.advance(index)
		if time.Since(w.checked) >= w.config.Wait {
			w.cursor = cursor{} // the next one says how old it is
		}
		w.pauses = Pauses{}
		return
	}
	w.cursor = cursor{}
	Sleep(ctx, w.pauses.Next(w.config.MaxPause))
}
