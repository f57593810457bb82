package discovery

import (
	"context"
	"net"
	"net/netip"
	"strings"
)

// A resolver asks by way of net.Resolver, so that resolv.conf, the hosts file,
// ndots, truncation and retries are the standard library's business. That tells
// no TTLs, so they are read off the answers as they pass.
type resolver struct{ server, network string }

func (r *resolver) addresses(ctx context.Context, name string) ([]netip.Addr, ttl, error) {
	if addrs := r.inFile(ctx, name); len(addrs) > 0 {
		return routable(addrs), ttl{}, nil
	}
	var q question
	defer q.close()
	addrs, err := r.asking(&q).LookupNetIP(ctx, r.network, name)
	return routable(addrs), q.ttl(), err
}

// inFile finds in the hosts file a name of one label with its final dot, which
// net.Resolver would find there only without: but then it goes through the search
// list, too, where it finds nothing.
func (r *resolver) inFile(ctx context.Context, name string) []netip.Addr {
	label, absolute := strings.CutSuffix(name, ".")
	if !absolute || strings.Contains(label, ".") {
		return nil
	}
	asksNobody := func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }
	file := &net.Resolver{PreferGo: true, Dial: asksNobody}
	addrs, _ := file.LookupNetIP(ctx, r.network, label)
	return addrs
}

func (r *resolver) services(ctx context.Context, name string) ([]*net.SRV, ttl, error) {
	var q question
	defer q.close()
	_, records, err := r.asking(&q).LookupSRV(ctx, "", "", name)
	if len(records) > 0 {
		err = nil // which says that there are others, whose targets are no names
	}
	return records, q.ttl(), err
}

// asking returns a resolver for q alone. StrictErrors: half an answer would
// pass for a whole set.
func (r *resolver) asking(q *question) *net.Resolver {
	return &net.Resolver{
		PreferGo:     true,
		StrictErrors: true,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if r.server != "" {
				address = r.server
			}
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return q.adopt(conn)
		},
	}
}

// routable leaves out the addresses of a family that this machine has no route
// for, if there are others: an AAAA record must not become an endpoint that
// always fails. (Istio, too, asks only for the families of the proxy's own
// addresses.)
func routable(addrs []netip.Addr) []netip.Addr {
	v4, v6 := byFamily(addrs)
	switch {
	case len(v4) == 0 || len(v6) == 0:
		return addrs
	case !routed(v6[0]):
		return v4
	case !routed(v4[0]):
		return v6
	}
	return addrs
}

func byFamily(addrs []netip.Addr) (v4, v6 []netip.Addr) {
	for _, a := range addrs {
		if a.Unmap().Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	return v4, v6
}

// routed asks the kernel for a route. Connecting a UDP socket sends nothing.
func routed(a netip.Addr) bool {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 9)))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
