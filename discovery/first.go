package discovery

import (
	"context"
	"iter"
)

// First asks sources in their order, and answers with the first that knows the
// service: files, then DNS, for example. Only ErrUnknown leads to the next
// source; other trouble does not, so that a broken file never diverts traffic.
// When an earlier source begins to know the service it takes over, and the
// watches of the later ones end; when it ceases to, they begin. Without
// sources nothing is known.
func First(sources ...Source) Source {
	switch len(sources) {
	case 0:
		return &Static{state: newCell(directory{services: map[string][]Endpoint{}})}
	case 1:
		return sources[0]
	}
	return &chain{sources[0], First(sources[1:]...)}
}

type chain struct{ head, rest Source }

func (c *chain) Watch(ctx context.Context, s Service) iter.Seq2[[]Endpoint, error] {
	return func(yield func([]Endpoint, error) bool) {
		w := chainWatch{chain: c, service: s, head: newPump(ctx, c.head, s)}
		defer w.close()
		for ctx.Err() == nil && w.step(ctx, yield) {
		}
	}
}

// A chainWatch is one watch of a chain. It asks the rest while the head does
// not know the service.
type chainWatch struct {
	chain   *chain
	service Service
	head    *pump
	rest    *pump // nil while the head knows
}

// step handles one answer, and reports whether to go on.
func (w *chainWatch) step(ctx context.Context, yield func([]Endpoint, error) bool) bool {
	select {
	case a, ok := <-w.head.answers:
		return ok && w.fromHead(ctx, a, yield)
	case a, ok := <-w.restAnswers():
		return ok && yield(a.endpoints, a.err)
	case <-ctx.Done():
		return false
	}
}

func (w *chainWatch) fromHead(ctx context.Context, a answer, yield func([]Endpoint, error) bool) bool {
	if a.settles() && a.err != nil {
		w.openRest(ctx)
		return true
	}
	if a.settles() {
		w.closeRest()
	}
	return yield(a.endpoints, a.err)
}

// restAnswers is nil, which blocks, while the rest is not asked.
func (w *chainWatch) restAnswers() <-chan answer {
	if w.rest == nil {
		return nil
	}
	return w.rest.answers
}

func (w *chainWatch) openRest(ctx context.Context) {
	if w.rest == nil {
		w.rest = newPump(ctx, w.chain.rest, w.service)
	}
}

func (w *chainWatch) closeRest() {
	if w.rest != nil {
		w.rest.close()
		w.rest = nil
	}
}

func (w *chainWatch) close() {
	w.closeRest()
	w.head.close()
}
