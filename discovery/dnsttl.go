package discovery

import (
	"encoding/binary"
	"net"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A ttl says how long an answer lasts; the zero ttl does not say.
type ttl struct {
	known bool
	time.Duration
}

func (t ttl) or(d time.Duration) time.Duration {
	if t.known {
		return t.Duration
	}
	return d
}

// and is the ttl of an answer made of two.
func (t ttl) and(o ttl) ttl {
	switch {
	case !t.known:
		return o
	case !o.known:
		return t
	}
	return ttl{true, min(t.Duration, o.Duration)}
}

// A ttlMeter notes the least TTL of the answers that pass on its connections.
// A resolver asks for A and AAAA at once, and may go on after its caller was
// cancelled, hence the lock.
type ttlMeter struct {
	mu  sync.Mutex
	ttl ttl
}

func (m *ttlMeter) least() ttl {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ttl
}

func (m *ttlMeter) note(message []byte, id uint16) {
	t := answerTTL(message, id)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ttl = m.ttl.and(t)
}

// on returns conn with the meter on it. net.Resolver tells datagrams from
// streams by whether the connection is a net.PacketConn.
func (m *ttlMeter) on(conn net.Conn) net.Conn {
	if packets, ok := conn.(*net.UDPConn); ok {
		return &meteredPackets{UDPConn: packets, meter: m}
	}
	return &meteredStream{Conn: conn, meter: m}
}

// answerTTL is the least TTL among the answers of message, with those of the
// CNAMEs on the way. Failures, and what does not answer the question with this
// id, say nothing.
func answerTTL(message []byte, id uint16) (least ttl) {
	var p dnsmessage.Parser
	h, err := p.Start(message)
	if err != nil || !h.Response || h.ID != id || h.RCode != dnsmessage.RCodeSuccess || h.Truncated {
		return ttl{}
	}
	if p.SkipAllQuestions() != nil {
		return ttl{}
	}
	for {
		r, err := p.AnswerHeader()
		if err != nil || p.SkipAnswer() != nil {
			return least
		}
		least = least.and(ttl{true, seconds(r.TTL)})
	}
}

// seconds reads a TTL. RFC 2181, section 8: "treat TTL values received with the
// most significant bit set as if the entire value received was zero".
func seconds(t uint32) time.Duration {
	if t > 1<<31-1 {
		return 0
	}
	return time.Duration(t) * time.Second
}

// meteredPackets is a connection on which each Read and Write is a message.
type meteredPackets struct {
	*net.UDPConn
	meter *ttlMeter
	id    uint16 // of the last question
}

func (c *meteredPackets) Write(p []byte) (int, error) {
	if len(p) >= 2 {
		c.id = binary.BigEndian.Uint16(p)
	}
	return c.UDPConn.Write(p)
}

func (c *meteredPackets) Read(p []byte) (int, error) {
	n, err := c.UDPConn.Read(p)
	if err == nil {
		c.meter.note(p[:n], c.id)
	}
	return n, err
}

// meteredStream is a connection on which messages follow their two bytes of length.
type meteredStream struct {
	net.Conn
	meter *ttlMeter
	id    uint16
	got   []byte
}

func (c *meteredStream) Write(p []byte) (int, error) {
	if len(p) >= 4 {
		c.id = binary.BigEndian.Uint16(p[2:])
	}
	return c.Conn.Write(p)
}

func (c *meteredStream) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.got = append(c.got, p[:n]...)
	for len(c.got) >= 2 {
		end := 2 + int(binary.BigEndian.Uint16(c.got))
		if len(c.got) < end {
			break
		}
		c.meter.note(c.got[2:end], c.id)
		c.got = c.got[end:]
	}
	return n, err
}
