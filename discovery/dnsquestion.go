package discovery

import (
	"encoding/binary"
	"net"
	"sync"
)

// A question is one lookup: the connections that net.Resolver opens for it, and
// the least TTL of the answers that pass on them. The resolver asks for A and
// AAAA at once, and its goroutines read on, for seconds, after their caller was
// cancelled; that is why there is a lock, and why the connections are closed
// when the lookup is over.
type question struct {
	mu    sync.Mutex // guards all below
	least ttl
	conns []net.Conn
	over  bool
}

// adopt returns conn with the question listening on it. net.Resolver tells
// datagrams from streams by whether the connection is a net.PacketConn.
func (q *question) adopt(conn net.Conn) (net.Conn, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over {
		conn.Close()
		return nil, net.ErrClosed
	}
	q.conns = append(q.conns, conn)
	if packets, ok := conn.(*net.UDPConn); ok {
		return &packetListener{UDPConn: packets, question: q}, nil
	}
	return &streamListener{Conn: conn, question: q}, nil
}

// close ends whatever goes on of the lookup.
func (q *question) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.over = true
	for _, c := range q.conns {
		c.Close()
	}
}

func (q *question) ttl() ttl {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.least
}

func (q *question) note(message []byte, id uint16) {
	t := answerTTL(message, id)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.least = q.least.and(t)
}

// A packetListener is a connection on which each Read and Write is a message.
type packetListener struct {
	*net.UDPConn
	question *question
	id       uint16 // of the last query
}

func (c *packetListener) Write(p []byte) (int, error) {
	if len(p) >= 2 {
		c.id = binary.BigEndian.Uint16(p)
	}
	return c.UDPConn.Write(p)
}

func (c *packetListener) Read(p []byte) (int, error) {
	n, err := c.UDPConn.Read(p)
	if err == nil {
		c.question.note(p[:n], c.id)
	}
	return n, err
}

// A streamListener is a connection on which a message follows its length in two bytes.
type streamListener struct {
	net.Conn
	question *question
	id       uint16
	got      []byte // of the message that is coming in
}

func (c *streamListener) Write(p []byte) (int, error) {
	if len(p) >= 4 {
		c.id = binary.BigEndian.Uint16(p[2:])
	}
	return c.Conn.Write(p)
}

func (c *streamListener) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.got = append(c.got, p[:n]...)
	for len(c.got) >= 2 {
		end := 2 + int(binary.BigEndian.Uint16(c.got))
		if len(c.got) < end {
			break
		}
		c.question.note(c.got[2:end], c.id)
		c.got = c.got[end:]
	}
	return n, err
}
