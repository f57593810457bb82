package guard

import (
	"net/netip"
	"strings"
)

func lower(name string) string { return strings.ToLower(name) }

// remote is the address of the client as the trusted proxies have it: the Nth
// from the right of X-Forwarded-For, where N proxies stand before this process
// (Envoy's xff_num_trusted_hops at the edge). Where fewer have written it is the
// peer's own address.
func (g *Guard) remote(v *Visit) netip.Addr {
	n := g.config.TrustedProxies
	if n <= 0 {
		return v.Source
	}
	lines := v.values("X-Forwarded-For", "x-forwarded-for")
	for i := len(lines) - 1; i >= 0; i-- {
		hops := strings.Split(lines[i], ",")
		if n <= len(hops) {
			addr, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-n]))
			if err != nil {
				return netip.Addr{} // an address that is none matches nothing
			}
			return addr
		}
		n -= len(hops)
	}
	return v.Source
}
