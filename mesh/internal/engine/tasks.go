package engine

import (
	"context"
	"sync"
)

// Shadow runs a copy of a call for host in the background, if there is room;
// otherwise the copy is dropped and counted, and Shadow reports false. life ends
// with the engine.
func (e *Engine) Shadow(host string, run func(life context.Context)) bool {
	if !e.room() {
		e.events.MirrorDropped(host)
		return false
	}
	e.Background(func() {
		defer func() { <-e.mirrors }()
		run(e.life)
	})
	return true
}

// room takes a place for one copy, if there is one and the engine lives.
func (e *Engine) room() bool {
	if e.life.Err() != nil {
		return false
	}
	select {
	case e.mirrors <- struct{}{}:
		return true
	default:
		return false
	}
}

// Background runs f on a goroutine that Close waits for; after Close it runs f
// at once.
func (e *Engine) Background(f func()) {
	if !e.tasks.start(f) {
		f()
	}
}

// tasks are goroutines with an owner.
type tasks struct {
	mu     sync.Mutex // orders start with wait
	over   bool
	active sync.WaitGroup
}

func (t *tasks) start(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.active.Go(f)
	}
	return !t.over
}

func (t *tasks) wait() {
	t.mu.Lock()
	t.over = true
	t.mu.Unlock()
	t.active.Wait()
}
