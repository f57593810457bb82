// Package places bounds how many connections a listener has before somebody accepts
// them.
package places

import "time"

// Places are so many. Who needs one when all are taken has somebody evicted. They are
// safe for concurrent use.
type Places struct {
	taken  chan struct{} // has one element for each
	due    func() <-chan time.Time
	evict  func() bool
	closed <-chan struct{}
}

// New makes n places. The channel of due fires when there is somebody who may be evicted,
// nil: nobody; evict does so, and reports false if there was nobody after all. Who is
// evicted leaves by himself. Nobody gets a place once closed is closed.
func New(n int, due func() <-chan time.Time, evict func() bool, closed <-chan struct{}) *Places {
	return &Places{make(chan struct{}, n), due, evict, closed}
}

// Len is how many are taken.
func (p *Places) Len() int { return len(p.taken) }

// Take waits for a place; false: there will be none.
func (p *Places) Take() bool {
	select {
	case p.taken <- struct{}{}:
		return true
	default:
		return p.make()
	}
}

// Leave gives a place back.
func (p *Places) Leave() { <-p.taken }

// make evicts one, and no other before somebody has left.
func (p *Places) make() bool {
	for {
		select {
		case p.taken <- struct{}{}:
			return true
		case <-p.due():
			if p.evict() {
				return p.await()
			}
		case <-p.closed:
			return false
		}
	}
}

func (p *Places) await() bool {
	select {
	case p.taken <- struct{}{}:
		return true
	case <-p.closed:
		return false
	}
}
