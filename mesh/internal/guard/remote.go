package guard

import (
	"net/netip"
	"strings"
)

// remote is the address of the client as the trusted proxies have it: the Nth
// from the right of X-Forwarded-For, where N proxies stand before this process
// (Envoy's xff_num_trusted_hops at the edge). Where fewer have written it is the
// peer's own address.
func (g *Guard) remote(v *Visit) netip.Addr {
	n := g.config.TrustedProxies
	if n <= 0 {
		return v.Source
	}
	lines := headers{v}.Values("X-Forwarded-For")
	for i := len(lines) - 1; i >= 0; i-- {
		hops := strings.Split(lines[i], ",")
		if n <= len(hops) {
			return address(hops[len(hops)-n])
		}
		n -= len(hops)
	}
	return v.Source
}

// address reads a hop; some proxies write the port too, or brackets alone. What is
// none matches nothing: to take the proxy's own address for it would be to trust
// the proxy.
func address(hop string) netip.Addr {
	hop = strings.TrimSpace(hop)
	if a, err := netip.ParseAddr(hop); err == nil {
		return a
	}
	if strings.HasSuffix(hop, "]") {
		hop += ":0"
	}
	ap, _ := netip.ParseAddrPort(hop)
	return ap.Addr()
}
