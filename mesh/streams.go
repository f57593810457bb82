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
	limit int             // per connection; 0: the server's
	only  *http.Transport // without a limit; nil: there is one
	lane  func() *http.Transport

	mu    sync.Mutex // guards lanes and what they carry
	lanes []*lane
}

func newStreams(limit int, lane func() *http.Transport) *streams {
	s := &streams{limit: limit, lane: lane}
	if limit == 0 {
		s.only = lane()
	}
	return s
}

type lane struct {
	*http.Transport
	active map[string]int // streams by address
}

// take returns the first lane with room for a stream to address, and what gives
// the place back; nil: there is nothing to give.
func (s *streams) take(address string) (t *http.Transport, done func()) {
	if s.only != nil {
		return s.only, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.lanes, func(l *lane) bool { return l.active[address] < s.limit })
	if i < 0 {
		i = len(s.lanes)
		s.lanes = append(s.lanes, &lane{s.lane(), map[string]int{}})
	}
	l := s.lanes[i]
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
	if s.only != nil {
		s.only.CloseIdleConnections()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		l.CloseIdleConnections()
	}
}
