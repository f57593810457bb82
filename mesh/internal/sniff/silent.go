package sniff

import (
	"container/list"
	"sync"
	"time"
)

// grace is how long a connection may be silent in any case. The first byte of an
// honest client follows its connecting at once, however long the way is; in
// grace it is read even if many come together.
const grace = 10 * time.Millisecond

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

// due fires when the oldest has had its grace; nil: there is none.
func (s *silent) due() <-chan time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	front := s.queue.Front()
	if front == nil {
		return nil
	}
	return time.After(time.Until(front.Value.(*peekedConn).since.Add(grace)))
}

// evict closes the oldest, which ends the wait for it; false: none has had its
// grace.
func (s *silent) evict(now time.Time) bool {
	c := s.takeOldest(now.Add(-grace))
	if c == nil {
		return false
	}
	_ = c.Close()
	return true
}

// takeOldest takes out the oldest if it has been there since limit or longer.
func (s *silent) takeOldest(limit time.Time) *peekedConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	front := s.queue.Front()
	if front == nil || front.Value.(*peekedConn).since.After(limit) {
		return nil
	}
	c := front.Value.(*peekedConn)
	s.leaveLocked(c)
	return c
}

// shut closes all, and lets nobody enter any more.
func (s *silent) shut() {
	for _, c := range s.takeAll() {
		_ = c.Close()
	}
}

func (s *silent) takeAll() (all []*peekedConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for s.queue.Len() > 0 {
		c := s.queue.Front().Value.(*peekedConn)
		s.leaveLocked(c)
		all = append(all, c)
	}
	return all
}
