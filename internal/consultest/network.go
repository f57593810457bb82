package consultest

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// A Network stands between the servers of a cluster, and can be divided. Each server
// listens on an address of its own, which is also where its connections and packets
// come from, and tells the others another one: there the network takes what is for
// it, and hands it on if who has sent it is on the same side.
type Network struct {
	mu      sync.Mutex // guards what follows
	cut     map[netip.Addr]bool
	changed chan struct{} // closed when cut changes

	stop    chan struct{}
	running sync.WaitGroup
	open    []interface{ Close() error } // guarded by mu
}

func newNetwork() *Network {
	return &Network{changed: make(chan struct{}), stop: make(chan struct{})}
}

// own and told are the addresses of the nth server.
func own(n int) string  { return fmt.Sprintf("127.0.1.%d", n+1) }
func told(n int) string { return fmt.Sprintf("127.0.2.%d", n+1) }

// Divide cuts servers off from all the others; what is under way between them waits.
// Gossip over TCP, of which nobody knows who sends it, waits everywhere.
func (n *Network) Divide(off ...*Agent) {
	cut := map[netip.Addr]bool{}
	for _, a := range off {
		cut[netip.MustParseAddr(a.config.host)] = true
	}
	n.set(cut)
}

// Heal ends a Divide.
func (n *Network) Heal() { n.set(nil) }

func (n *Network) set(cut map[netip.Addr]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
	close(n.changed)
	n.changed = make(chan struct{})
}

// passes says whether there is a way, and what is closed when that may change.
func (n *Network) passes(from, to netip.Addr) (bool, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := from.As4()[2] == 1 // an own address
	return len(n.cut) == 0 || known && n.cut[from] == n.cut[to], n.changed
}

// await waits for a way; false: the network has ended.
func (n *Network) await(from, to netip.Addr) bool {
	for {
		ok, changed := n.passes(from, to)
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-n.stop:
			return false
		}
	}
}

// join takes what is for the nth server.
func (n *Network) join(t testing.TB, i int, p ports) {
	t.Helper()
	for _, port := range []int{p.server, p.serf} {
		lis, err := net.Listen("tcp", fmt.Sprintf("%s:%d", told(i), port))
		if err != nil {
			t.Fatal(err)
		}
		n.keep(lis)
		n.running.Go(func() { n.accept(lis, fmt.Sprintf("%s:%d", own(i), port)) })
	}
	packets, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(told(i)), Port: p.serf})
	if err != nil {
		t.Fatal(err)
	}
	n.keep(packets)
	n.running.Go(func() { n.deliver(packets, netip.AddrPortFrom(netip.MustParseAddr(own(i)), uint16(p.serf))) })
}

// keep has c closed with the network, at once if that is closed.
func (n *Network) keep(c interface{ Close() error }) {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.stop:
		_ = c.Close()
	default:
		n.open = append(n.open, c)
	}
}

func (n *Network) close() {
	close(n.stop)
	n.mu.Lock()
	for _, c := range n.open {
		_ = c.Close()
	}
	n.mu.Unlock()
	n.running.Wait()
}
