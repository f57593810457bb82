package mesh_test

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
)

// mute is a Source that never answers.
type mute struct{}

func (mute) Watch(ctx context.Context, _ discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(func([]discovery.Endpoint, error) bool) { <-ctx.Done() }
}

// tardy is a Source whose first answers come late.
type tardy struct {
	discovery.Source
	by time.Duration
}

func (l tardy) Watch(ctx context.Context, s discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		select {
		case <-time.After(l.by):
		case <-ctx.Done():
			return
		}
		l.Source.Watch(ctx, s)(yield)
	}
}

// troubled is a Source that yields an error whenever told to.
type troubled struct {
	discovery.Source
	errs <-chan error
}

func (t troubled) Watch(ctx context.Context, s discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		for eps, err := range t.Source.Watch(ctx, s) {
			if !yield(eps, err) {
				return
			}
			break
		}
		for {
			select {
			case err := <-t.errs:
				if !yield(nil, err) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// clinging is a Source whose watch of one service ends only when it is let go.
type clinging struct {
	discovery.Source
	name  string
	leave <-chan struct{}
}

func (c clinging) Watch(ctx context.Context, s discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		c.Source.Watch(ctx, s)(yield)
		if s.Name == c.name {
			<-c.leave
		}
	}
}

// troublesome is a Source that knows nothing but its trouble.
type troublesome struct{ err error }

func (f troublesome) Watch(ctx context.Context, _ discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		if yield(nil, f.err) {
			<-ctx.Done()
		}
	}
}

// ending is a Source whose every watch ends after one answer.
type ending struct{ discovery.Source }

func (e ending) Watch(ctx context.Context, s discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		for eps, err := range e.Source.Watch(ctx, s) {
			yield(eps, err)
			return
		}
	}
}

// counting is a Source that counts its watches.
type counting struct {
	discovery.Source
	watches, ended atomic.Int32
}

func (c *counting) Watch(ctx context.Context, s discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		c.watches.Add(1)
		defer c.ended.Add(1)
		c.Source.Watch(ctx, s)(yield)
	}
}
