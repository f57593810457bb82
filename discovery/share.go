package discovery

import (
	"context"
	"iter"
)

// Share makes all who watch the same Service of src share one upstream watch.
// Newcomers get the last answer, and the trouble since if there is any, at
// once. The upstream watch ends with its last watcher; when it ends by itself,
// so do the sequences of those who share it.
func Share(src Source) Source {
	return &shared{newFan(func(ctx context.Context, s Service, publish func(view)) {
		var v view
		for endpoints, err := range src.Watch(ctx, s) {
			v = v.after(answer{endpoints, err})
			publish(v)
		}
	})}
}

type shared struct{ *fan[Service, view] }

func (f *shared) Watch(ctx context.Context, s Service) iter.Seq2[[]Endpoint, error] {
	return func(yield func([]Endpoint, error) bool) {
		f.follow(ctx, s, func(v view) view { return v }, yield)
	}
}
