package discovery

import (
	"context"
	"sync"
)

// A fan lets any number of watchers of one thing share one producer of values.
// The producer runs while anybody watches: it starts with the first watcher,
// and the last one to leave stops it and waits for its end.
type fan[K comparable, T any] struct {
	// produce blocks until ctx ends, or until it has nothing more to say: then
	// the watchers' sequences end too.
	produce func(ctx context.Context, key K, publish func(T))

	mu   sync.Mutex // guards runs and the watcher counts in them
	runs map[K]*run[T]
}

type run[T any] struct {
	*cell[T]
	ctx      context.Context // ends with the producer
	stop     context.CancelFunc
	ended    chan struct{}
	watchers int
}

func newFan[K comparable, T any](produce func(context.Context, K, func(T))) *fan[K, T] {
	return &fan[K, T]{produce: produce, runs: make(map[K]*run[T])}
}

// follow watches key's values through see until ctx or the producer ends.
func (f *fan[K, T]) follow(ctx context.Context, key K, see func(T) view, yield func([]Endpoint, error) bool) {
	r := f.join(key)
	defer f.leave(key, r)
	r.cell.follow(ctx, r.ctx, see, yield)
}

func (f *fan[K, T]) join(key K) *run[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.runs[key]
	if r == nil || r.ctx.Err() != nil {
		r = f.start(key)
		f.runs[key] = r
	}
	r.watchers++
	return r
}

func (f *fan[K, T]) start(key K) *run[T] {
	var zero T
	r := &run[T]{cell: newCell(zero), ended: make(chan struct{})}
	r.ctx, r.stop = context.WithCancel(context.Background())
	go func() {
		defer close(r.ended)
		defer r.stop()
		f.produce(r.ctx, key, r.set)
	}()
	return r
}

// leave stops the producer after its last watcher. Somebody who comes while it
// is stopping gets a new one, so nobody waits under the lock.
func (f *fan[K, T]) leave(key K, r *run[T]) {
	if f.last(key, r) {
		r.stop()
		<-r.ended
	}
}

func (f *fan[K, T]) last(key K, r *run[T]) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.watchers--
	if r.watchers == 0 && f.runs[key] == r {
		delete(f.runs, key)
	}
	return r.watchers == 0
}
