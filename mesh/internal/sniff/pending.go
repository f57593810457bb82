package sniff

import (
	"errors"
	"net"
	"os"
	"time"
)

// recordHandshake is the first byte of a TLS connection: the content type of its
// first record. No request line and no HTTP/2 preface begins with it.
//
//	enum { …, handshake(22), … } ContentType;  — RFC 8446, §5.1
const recordHandshake = 22

// admit waits for a connection's first byte, in a goroutine of its own.
func (l *Listener) admit(conn net.Conn) {
	if !l.place() {
		_ = conn.Close()
		return
	}
	c := &peekedConn{Conn: conn, since: time.Now()}
	if !l.silent.enter(c) {
		_ = conn.Close()
		<-l.places
		return
	}
	l.tasks.Go(func() {
		defer func() { <-l.places }()
		l.wait(c)
	})
}

// place waits for a place among the pending; false: the listener was closed.
func (l *Listener) place() bool {
	select {
	case l.places <- struct{}{}:
		return true
	default:
		return l.makePlace()
	}
}

// makePlace closes the connection that has been silent longest, once it has had
// its grace. If there is none, all wait for Accept, and so does the new one.
func (l *Listener) makePlace() bool {
	for {
		select {
		case l.places <- struct{}{}:
			return true
		case <-l.silent.due(time.Now()):
			if l.silent.evict(time.Now()) {
				l.crowded.Add(1)
				return l.takePlace()
			}
		case <-l.done:
			return false
		}
	}
}

func (l *Listener) takePlace() bool {
	select {
	case l.places <- struct{}{}:
		return true
	case <-l.done:
		return false
	}
}

// wait reads the first byte, and hands the connection over as what it is. The
// mode may have changed meanwhile, and it is the one of now that counts.
func (l *Listener) wait(c *peekedConn) {
	err := c.peek(l.config.Timeout)
	if l.config.ServerFirst && errors.Is(err, os.ErrDeadlineExceeded) {
		err = c.SetReadDeadline(time.Time{}) // it was none that TLS begins with
	}
	if evicted := !l.silent.leave(c); evicted || err != nil {
		if !evicted && errors.Is(err, os.ErrDeadlineExceeded) {
			l.timedOut.Add(1)
		}
		_ = c.Close()
		return
	}
	l.deliver(accepted{conn: l.dress(c, l.secure(c.first[0]))})
}

func (l *Listener) secure(first byte) bool {
	switch l.config.Mode() {
	case Permissive:
		return first == recordHandshake
	case Disable:
		return false
	default:
		return true
	}
}

// Stats are counts since the start, except for Pending.
type Stats struct {
	Pending  int    // connections that are waited for now, or that wait for Accept
	TimedOut uint64 // closed: silent for Timeout
	Crowded  uint64 // closed: silent for longest when there were MaxPending
}

// Stats returns the counts of now.
func (l *Listener) Stats() Stats {
	return Stats{Pending: len(l.places), TimedOut: l.timedOut.Load(), Crowded: l.crowded.Load()}
}
