package consultest

import (
	"net"
	"net/netip"
)

// accept hands connections on to an address.
func (n *Network) accept(lis net.Listener, to string) {
	for {
		conn, err := lis.Accept()
		if err != nil {
			return
		}
		n.keep(conn)
		n.running.Go(func() { n.connect(conn, to) })
	}
}

// connect carries one connection.
func (n *Network) connect(near net.Conn, to string) {
	defer near.Close()
	from, dest := addressOf(near.RemoteAddr()), netip.MustParseAddrPort(to).Addr()
	if !n.await(from, dest) {
		return
	}
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	n.keep(far)
	n.running.Go(func() { n.carry(far, near, dest, from) })
	n.carry(near, far, from, dest)
}

// carry carries what one end says to the other, while there is a way.
func (n *Network) carry(src, dst net.Conn, from, to netip.Addr) {
	defer src.Close()
	defer dst.Close()
	buf := make([]byte, 32<<10)
	for {
		size, err := src.Read(buf)
		if err != nil || !n.await(from, to) {
			return
		}
		if _, err := dst.Write(buf[:size]); err != nil {
			return
		}
	}
}

// deliver hands packets on, each from a socket that stands for its sender, so that
// answers find their way back. Those without a way are lost.
func (n *Network) deliver(packets *net.UDPConn, to netip.AddrPort) {
	senders := map[netip.AddrPort]*net.UDPConn{}
	buf := make([]byte, 64<<10)
	for {
		size, from, err := packets.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if ok, _ := n.passes(from.Addr().Unmap(), to.Addr()); !ok {
			continue
		}
		sender := senders[from]
		if sender == nil {
			if sender, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to)); err != nil {
				return
			}
			senders[from] = sender
			n.keep(sender)
			n.running.Go(func() { n.answer(sender, packets, to.Addr(), from) })
		}
		_, _ = sender.Write(buf[:size]) // nobody may listen yet
	}
}

// answer hands back what comes for a sender.
func (n *Network) answer(conn, packets *net.UDPConn, from netip.Addr, to netip.AddrPort) {
	buf := make([]byte, 64<<10)
	for {
		size, err := conn.Read(buf)
		select {
		case <-n.stop:
			return
		default:
		}
		if err != nil {
			continue // nobody listens there, for the moment
		}
		if ok, _ := n.passes(from, to.Addr().Unmap()); ok {
			_, _ = packets.WriteToUDPAddrPort(buf[:size], to)
		}
	}
}

func addressOf(a net.Addr) netip.Addr {
	tcp, _ := a.(*net.TCPAddr)
	return tcp.AddrPort().Addr().Unmap()
}
