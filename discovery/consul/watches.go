package consul

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/inmesh-go/inmesh/internal/blocking"
)

// Status is how a watch of a service stands.
type Status struct {
	// Host is what was asked for, Service what it is called in Consul: the name of
	// a service or of a prepared query.
	Host, Service string
	Place         Place
	// Endpoints is how many there are; they may be unhealthy.
	Endpoints int
	// Index is Consul's own version of the answer. It is another on each server.
	Index uint64
	// Known is when the endpoints were certainly up to date; zero: never. A query
	// that waits proves nothing until it returns, so the age of what is known
	// grows to Config.Wait and somewhat more while nothing happens.
	Known time.Time
	// Err is the trouble since; nil: none.
	Err error
}

// Age is how old what is known is at most; 0 where nothing is.
func (s Status) Age(now time.Time) time.Duration {
	if s.Known.IsZero() {
		return 0
	}
	return max(now.Sub(s.Known), 0)
}

// watches are the watches that run.
type watches struct {
	mu  sync.Mutex // guards all, and the state of each
	all map[*state]bool
}

// state is one watch's.
type state struct {
	watches *watches
	status  Status
}

func (w *watches) begin(host string, t target, p Place) *state {
	s := &state{w, Status{Host: host, Service: t.name, Place: p}}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all[s] = true
	return s
}

func (w *watches) end(s *state) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.all, s)
}

// list is how all stand, by host and place.
func (w *watches) list() []Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]Status, 0, len(w.all))
	for s := range w.all {
		out = append(out, s.status)
	}
	slices.SortFunc(out, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Place.String(), b.Place.String()))
	})
	return out
}

func (s *state) succeed(a blocking.Answer[found], endpoints int) {
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	s.status.Endpoints, s.status.Index, s.status.Known, s.status.Err = endpoints, a.Index, a.Known, nil
}

// fail notes trouble, and says it with the age of what is known.
func (s *state) fail(t target, p Place, err error) error {
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	where := t.String()
	if p != (Place{}) {
		where += " in " + p.String()
	}
	err = fmt.Errorf("consul: %s: %w", where, err)
	if known := s.status.Known; !known.IsZero() {
		err = fmt.Errorf("%w (what is known is %v old)", err, time.Since(known).Round(time.Second))
	}
	s.status.Err = err
	return err
}
