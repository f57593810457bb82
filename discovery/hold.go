package discovery

import (
	"context"
	"fmt"
	"iter"
	"time"
)

const defaultHold = 30 * time.Second

// Hold keeps src from emptying a service by accident. A registry that restarts,
// loses its permissions or answers 404 says "nobody" in the same words as one
// that means it; so an empty set or ErrUnknown that follows a set with
// endpoints is believed only after it has stood for d. Until then the last good
// set stands, and the watcher gets an error that says so. d of 0 or less means
// 30 s. Each Watch holds what it has itself seen.
func Hold(src Source, d time.Duration) Source {
	if d <= 0 {
		d = defaultHold
	}
	return &held{src, d}
}

type held struct {
	src Source
	d   time.Duration
}

func (h *held) Watch(ctx context.Context, s Service) iter.Seq2[[]Endpoint, error] {
	return func(yield func([]Endpoint, error) bool) {
		up := newPump(ctx, h.src, s)
		defer up.close()
		state := doubt{limit: h.d, host: s.Host}
		for ctx.Err() == nil && state.step(ctx, up, yield) {
		}
	}
}

// A doubt is the state of one held watch.
type doubt struct {
	limit time.Duration
	host  string

	good  int       // endpoints in the last set told; 0 when there is nothing to hold
	none  *answer   // says that there are none, and is not believed yet
	until time.Time // when none will be believed
}

// step waits for an answer or for the end of the doubt, and reports whether to go on.
func (d *doubt) step(ctx context.Context, up *pump, yield func([]Endpoint, error) bool) bool {
	select {
	case a, ok := <-up.answers:
		if !ok {
			return false
		}
		a = d.hear(a, time.Now())
		return yield(a.endpoints, a.err)
	case <-d.over():
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

// over returns a channel that delivers when the doubt ends; nil without doubt.
func (d *doubt) over() <-chan time.Time {
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
