package meshgrpc

import (
	"context"
	"sync"
)

// A life is the context of a stream that has no answer yet, or gets none. Hardly
// anybody asks for it, and so it is made for whoever does.
type life struct {
	of context.Context // the caller's

	mu   sync.Mutex
	ctx  context.Context // nil: nobody has asked
	end  context.CancelFunc
	past bool
}

func (l *life) context() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx == nil {
		l.ctx, l.end = context.WithCancel(l.of)
		if l.past {
			l.end()
		}
	}
	return l.ctx
}

// over ends the context.
func (l *life) over() {
	l.mu.Lock()
	end := l.end
	l.past = true
	l.mu.Unlock()
	if end != nil {
		end()
	}
}
