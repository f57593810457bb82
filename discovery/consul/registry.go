package consul

import (
	"context"
	"iter"
	"sync"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery"
)

// A registry watches a service for one watcher: no sharing, no holding.
type registry struct {
	client  *api.Client
	config  Config
	watches *watches
}

// Watch implements discovery.Source.
func (r *registry) Watch(ctx context.Context, s discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		t, err := r.config.target(s)
		if err != nil {
			if yield(nil, err) {
				<-ctx.Done()
			}
			return
		}
		w := r.open(ctx, s.Host, t)
		defer w.close()
		u := union{target: t, news: make([]said, len(t.places))}
		for ctx.Err() == nil && w.step(ctx, &u, yield) {
		}
	}
}

// A watch asks for one target in all its places, each in a goroutine.
type watch struct {
	heard   chan said
	stop    context.CancelFunc
	running sync.WaitGroup
}

// said is what came from one place: what was found, or trouble.
type said struct {
	place     int // its index
	heard     bool
	endpoints []discovery.Endpoint
	known     bool  // endpoints are what Consul said last; false: it never said anything
	left      error // instances that are left out
	trouble   error
}

func (r *registry) open(ctx context.Context, host string, t target) *watch {
	ctx, stop := context.WithCancel(ctx)
	w := &watch{heard: make(chan said), stop: stop}
	for i, p := range t.places {
		w.running.Go(func() { r.follow(ctx, host, t, i, p, w.heard) })
	}
	return w
}

// close stops the goroutines and waits for their end.
func (w *watch) close() {
	w.stop()
	w.running.Wait()
}

// step waits for the next word of a place, and reports whether to go on.
func (w *watch) step(ctx context.Context, u *union, yield func([]discovery.Endpoint, error) bool) bool {
	select {
	case s := <-w.heard:
		return u.tell(s, yield)
	case <-ctx.Done():
		return false
	}
}

// follow sends what is said in one place.
func (r *registry) follow(ctx context.Context, host string, t target, i int, p Place, heard chan<- said) {
	entry := r.watches.begin(host, t, p)
	defer r.watches.end(entry)
	for answer, err := range r.lookup(ctx, t, p) {
		s := said{place: i, heard: true}
		if err != nil {
			s.trouble = entry.fail(t, p, err)
		} else {
			s.known = true
			s.endpoints, s.left = t.endpoints(answer.Value)
			entry.succeed(answer, len(s.endpoints))
		}
		select {
		case heard <- s:
		case <-ctx.Done():
			return
		}
	}
}
