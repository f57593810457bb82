package mesh

import (
	"slices"
	"sync"
	"sync/atomic"
)

// taps are those that listen.
type taps struct {
	all atomic.Pointer[[]*Tap] // nil: nobody; what it leads to does not change

	mu     sync.Mutex // orders changes of all
	closed bool
}

// listening is nil if nobody is.
func (s *taps) listening() []*Tap {
	if all := s.all.Load(); all != nil {
		return *all
	}
	return nil
}

func (s *taps) add(t *Tap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		t.end()
		return
	}
	s.storeLocked(append(slices.Clip(s.listening()), t))
}

func (s *taps) remove(t *Tap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.storeLocked(slices.DeleteFunc(slices.Clone(s.listening()), func(other *Tap) bool { return other == t }))
}

func (s *taps) storeLocked(all []*Tap) {
	if len(all) == 0 {
		s.all.Store(nil)
		return
	}
	s.all.Store(&all)
}

// close ends all taps, and those to come.
func (s *taps) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, t := range s.listening() {
		t.end()
	}
	s.storeLocked(nil)
}

// tell gives each tap what it wants, with headers of its own.
func tell(all []*Tap, e TapEvent, headers map[string][]string) {
	for _, t := range all {
		if t.filter.wants(&e) && !t.offer(e, headers) {
			t.dropped.Add(1)
		}
	}
}

// offer keeps an event for the reader, if there is room for it.
func (t *Tap) offer(e TapEvent, headers map[string][]string) bool {
	size := e.size(headers)
	if len(t.events) == cap(t.events) || t.held.Load()+size > maxHeld {
		return false
	}
	e.Headers = cloned(headers)
	t.held.Add(size)
	select {
	case t.events <- kept{e, size}:
		return true
	default:
		t.held.Add(-size)
		return false
	}
}
