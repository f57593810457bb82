package h1

import "time"

// A sending is what has come of writing a message.
type sending struct {
	n   int
	err error
}

// atOnce is how long a message may be that has room in a socket's buffers: a body,
// and a head as most are.
const atOnce = maxBody + 16<<10

// send writes a message. What is written to a socket has room in its buffer, so
// that the caller's own goroutine writes it. What is written to something else,
// such as a net.Pipe, may wait until the server reads it, and a server may answer
// before it does: so that has a goroutine of its own, and c.out tells its end. So
// has a gigantic head.
func (c *conn) send(m *message) sending {
	if c.watch.socket() && len(m.bytes) <= atOnce {
		n, err := c.Write(m.bytes)
		return c.written(sending{n, err})
	}
	m.inUse = true
	out := make(chan sending, 1)
	c.out = out
	go func() {
		n, err := c.Write(m.bytes)
		if err != nil && !c.watch.socket() { // whose end is that of both directions
			_ = c.SetReadDeadline(longAgo) // no answer will come
		}
		out <- sending{n, err}
	}()
	return sending{}
}

// settle takes note of a message that has been written meanwhile.
func (c *conn) settle(m *message) {
	select {
	case s := <-c.out:
		c.written(s)
		m.inUse = false
	default:
	}
}

// abort ends the writing, and returns what has come of it.
func (c *conn) abort(m *message, s sending) sending {
	if c.out != nil {
		c.drop()
		s = c.written(<-c.out)
		m.inUse = false
	}
	return s
}

// patience is how long an answer that has been read waits for its request to
// have been written, before the connection is given up; net/http's.
const patience = 50 * time.Millisecond

// wrote reports whether the message has been written whole.
func (c *conn) wrote() bool {
	if c.out == nil {
		return true
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case s := <-c.out:
		return c.written(s).err == nil
	case <-timer.C:
		return false
	}
}

func (c *conn) written(s sending) sending {
	c.out = nil
	c.failed = s.err != nil
	return s
}
