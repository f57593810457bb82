package sniff

import (
	"container/list"
	"sync"
)

// silent are the connections whose first byte is waited for, oldest first. Who
// takes one out decides what becomes of it.
type silent struct {
	mu     sync.Mutex
	queue  list.List
	closed bool
}

// enter reports false if there is no waiting any more.
func (s *silent) enter(c *peekedConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	c.place = s.queue.PushBack(c)
	return true
}

// leave reports false if c was taken out already.
func (s *silent) leave(c *peekedConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaveLocked(c)
}

func (s *silent) leaveLocked(c *peekedConn) bool {
	if c.place == nil {
		return false
	}
	s.queue.Remove(c.place)
	c.place = nil
	return true
}

// evict closes the oldest; false: there is none.
func (s *silent) evict() bool {
	c := s.oldest()
	if c == nil {
		return false
	}
	_ = c.Close() // which ends its wait
	return true
}

func (s *silent) oldest() *peekedConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	front := s.queue.Front()
	if front == nil {
		return nil
	}
	c := front.Value.(*peekedConn)
	s.leaveLocked(c)
	return c
}

// shut closes all, and those to come.
func (s *silent) shut() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for s.evict() {
	}
}
