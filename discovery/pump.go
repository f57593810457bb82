package discovery

import (
	"context"
)

// A pump runs a watch in a goroutine of its own, so that its answers can be
// awaited together with other things.
type pump struct {
	answers chan answer // closed when the watch has ended
	stop    context.CancelFunc
}

func newPump(ctx context.Context, src Source, s Service) *pump {
	ctx, stop := context.WithCancel(ctx)
	p := &pump{make(chan answer), stop}
	go p.run(ctx, src, s)
	return p
}

func (p *pump) run(ctx context.Context, src Source, s Service) {
	defer close(p.answers)
	for endpoints, err := range src.Watch(ctx, s) {
		select {
		case p.answers <- answer{endpoints, err}:
		case <-ctx.Done():
			return
		}
	}
}

// close stops the watch and waits for its end.
func (p *pump) close() {
	p.stop()
	for range p.answers {
	}
}
