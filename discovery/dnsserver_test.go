package discovery_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// A dnsServer answers over loopback, UDP and TCP, what its zone says.
type dnsServer struct {
	address string
	packets net.PacketConn
	streams net.Listener
	running sync.WaitGroup

	mu    sync.Mutex // guards what follows
	zone  map[string]dnsRecords
	rcode dnsmessage.RCode // other than success: the answer to everything
	mute  bool             // answers nothing
	long  bool             // truncates what goes over UDP
	asked []string         // names, with their type and network
	conns []net.Conn
}

// dnsRecords are the answers to all questions about one name.
type dnsRecords struct {
	ttl   uint32
	alias string // a CNAME, whose target's addrs are these
	addrs []netip.Addr
	srv   []dnsmessage.SRVResource
}

func newDNSServer(t *testing.T) *dnsServer {
	t.Helper()
	streams, packets := listenBoth(t)
	s := &dnsServer{address: streams.Addr().String(), packets: packets, streams: streams, zone: map[string]dnsRecords{}}
	s.running.Go(s.servePackets)
	s.running.Go(s.serveStreams)
	t.Cleanup(s.close)
	return s
}

// listenBoth finds a port that is free for TCP and UDP.
func listenBoth(t *testing.T) (net.Listener, net.PacketConn) {
	t.Helper()
	var err error
	for range 10 {
		streams, listenErr := net.Listen("tcp", "127.0.0.1:0")
		if listenErr != nil {
			t.Fatal(listenErr)
		}
		var packets net.PacketConn
		if packets, err = net.ListenPacket("udp", streams.Addr().String()); err == nil {
			return streams, packets
		}
		streams.Close()
	}
	t.Fatal(err)
	return nil, nil
}

func (s *dnsServer) close() {
	s.packets.Close()
	s.streams.Close()
	s.edit(func() {
		for _, c := range s.conns {
			c.Close()
		}
	})
	s.running.Wait()
}

// edit changes the server's state under its lock.
func (s *dnsServer) edit(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// set gives a name without trailing dot these records; nil removes it.
func (s *dnsServer) set(name string, r *dnsRecords) {
	s.edit(func() {
		delete(s.zone, name+".")
		if r != nil {
			s.zone[name+"."] = *r
		}
	})
}

func (s *dnsServer) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *dnsServer) servePackets() {
	buf := make([]byte, 4096)
	for {
		n, from, err := s.packets.ReadFrom(buf)
		if err != nil {
			return
		}
		if reply := s.reply(buf[:n], "udp"); reply != nil {
			_, _ = s.packets.WriteTo(reply, from)
		}
	}
}

func (s *dnsServer) serveStreams() {
	for {
		conn, err := s.streams.Accept()
		if err != nil {
			return
		}
		s.edit(func() { s.conns = append(s.conns, conn) })
		s.running.Go(func() { s.serveStream(conn) })
	}
}

func (s *dnsServer) serveStream(conn net.Conn) {
	defer conn.Close()
	var length [2]byte
	for {
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		reply := s.reply(query, "tcp")
		binary.BigEndian.PutUint16(length[:], uint16(len(reply)))
		// In two pieces, as a network may deliver it.
		_, _ = conn.Write(append(length[:], reply[:5]...))
		_, _ = conn.Write(reply[5:])
	}
}

func (s *dnsServer) reply(query []byte, network string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	s.asked = append(s.asked, q.Name.String()+" "+q.Type.String()+" "+network)
	if s.mute {
		return nil
	}
	return s.answer(h, q, network)
}

func (s *dnsServer) answer(h dnsmessage.Header, q dnsmessage.Question, network string) []byte {
	records, ok := s.zone[q.Name.String()]
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: h.ID, Response: true, RecursionAvailable: true, RCode: s.rcode},
		Questions: []dnsmessage.Question{q},
	}
	switch {
	case s.rcode != dnsmessage.RCodeSuccess:
	case !ok:
		m.RCode = dnsmessage.RCodeNameError
	case s.long && network == "udp":
		m.Truncated = true
	default:
		m.Answers = records.answers(q)
	}
	packed, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return packed
}

func (r dnsRecords) answers(q dnsmessage.Question) (all []dnsmessage.Resource) {
	name := q.Name
	add := func(body dnsmessage.ResourceBody, ttl uint32) {
		header := dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: ttl}
		all = append(all, dnsmessage.Resource{Header: header, Body: body})
	}
	if r.alias != "" {
		add(&dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(r.alias)}, r.ttl)
		name = dnsmessage.MustNewName(r.alias)
		r.ttl = 3600
	}
	for _, a := range r.addrs {
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			add(&dnsmessage.AResource{A: a.As4()}, r.ttl)
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			add(&dnsmessage.AAAAResource{AAAA: a.As16()}, r.ttl)
		}
	}
	for _, srv := range r.srv {
		if q.Type == dnsmessage.TypeSRV {
			add(&srv, r.ttl)
		}
	}
	return all
}
