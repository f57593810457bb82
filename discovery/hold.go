package discovery

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"
)

const defaultHold = 30 * time.Second

// Hold keeps src from emptying a service by accident. A registry that restarts,
// loses its permissions or answers 404 says "nobody" in the same words as one
// that means it; so an empty set or ErrUnknown that follows a set with
// endpoints is believed only after it has stood for d. Until then the last good
// set stands, and the watcher gets an error that says so. d of 0 or less means
// 30 s. Each Watch holds what it has itself seen and, where a sequence of src has
// ended by itself, the next Watch of that service what that one saw.
func Hold(src Source, d time.Duration) Source {
	if d <= 0 {
		d = defaultHold
	}
	return &held{src: src, d: d, ended: map[Service]doubt{}}
}

type held struct {
	src Source
	d   time.Duration

	mu    sync.Mutex // guards ended
	ended map[Service]doubt
}

func (h *held) Watch(ctx context.Context, s Service) iter.Seq2[[]Endpoint, error] {
	return func(yield func([]Endpoint, error) bool) {
		up := newPump(ctx, h.src, s)
		defer up.close()
		state := h.resume(s)
		for ctx.Err() == nil && state.step(ctx, up, yield) {
		}
		if state.over && state.good > 0 && ctx.Err() == nil {
			h.keep(s, state)
		}
	}
}

// resume is what an ended sequence has left, once, or a new doubt.
func (h *held) resume(s Service) doubt {
	h.mu.Lock()
	defer h.mu.Unlock()
	state, ok := h.ended[s]
	if !ok {
		return doubt{limit: h.d, host: s.Host}
	}
	delete(h.ended, s)
	state.over = false
	return state
}

func (h *held) keep(s Service, state doubt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended[s] = state
}

// A doubt is the state of one held watch.
type doubt struct {
	limit time.Duration
	host  string
	over  bool // the watch of the source has ended

	good  int       // endpoints in the last set told; 0 when there is nothing to hold
	none  *answer   // says that there are none, and is not believed yet
	until time.Time // when none will be believed
}

// step waits for an answer or for the end of the doubt, and reports whether to go on.
func (d *doubt) step(ctx context.Context, up *pump, yield func([]Endpoint, error) bool) bool {
	select {
	case a, ok := <-up.answers:
		if !ok {
			d.over = true
			return false
		}
		a = d.hear(a, time.Now())
		return yield(a.endpoints, a.err)
	case <-d.passed():
		a := d.believe()
		return yield(a.endpoints, a.err)
	case <-ctx.Done():
		return false
	}
}

// hear takes an answer in, and returns what to tell in its place.
func (d *doubt) hear(a answer, now time.Time) answer {
	switch {
	case !a.settles():
		return a
	case !a.none() || d.good == 0:
		d.good, d.none = len(a.endpoints), nil
		return a
	case d.none == nil:
		d.until = now.Add(d.limit)
	}
	d.none = &a
	return answer{err: fmt.Errorf("%s has no endpoints any more: keeping the last %d for %v", d.host, d.good, d.until.Sub(now))}
}

// passed returns a channel that delivers when the doubt ends; nil without doubt.
func (d *doubt) passed() <-chan time.Time {
	if d.none == nil {
		return nil
	}
	return time.After(time.Until(d.until))
}

func (d *doubt) believe() answer {
	a := *d.none
	d.good, d.none = 0, nil
	return a
}
