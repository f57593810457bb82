package mesh

import (
	"net/http"
	"slices"
	"sync"
)

// streams spreads HTTP/2 requests over connections so that none carries more
// than maxConcurrentStreams at once. net/http keeps one connection per address
// until the server's own limit is reached; so each lane is a Transport of its
// own, and has one connection per address.
type streams struct {
	limit int // per connection; 0: the server's
	lane  func() *http.Transport

	mu    sync.Mutex // guards lanes and what they carry
	lanes []*lane
}

type lane struct {
	*http.Transport
	active map[string]int // streams by address
}

// take returns the first lane with room for a stream to address, and what gives
// the place back.
func (s *streams) take(address string) (t *http.Transport, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.lanes, func(l *lane) bool { return s.limit == 0 || l.active[address] < s.limit })
	if i < 0 {
		i = len(s.lanes)
		s.lanes = append(s.lanes, &lane{s.lane(), map[string]int{}})
	}
	l := s.lanes[i]
	if s.limit == 0 {
		return l.Transport, func() {}
	}
	l.active[address]++
	return l.Transport, func() { s.give(l, address) }
}

func (s *streams) give(l *lane, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.active[address]--; l.active[address] == 0 {
		delete(l.active, address)
	}
}

func (s *streams) closeIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		l.CloseIdleConnections()
	}
}
