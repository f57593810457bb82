package authz

import "net/netip"

// addressIn is a condition on an address.
type addressIn struct {
	of   func(*Request) netip.Addr
	want []netip.Prefix
}

// holds reports whether one of the blocks has the address. Its zone does not
// count: [netip.Prefix.Contains] finds no address with a zone in any prefix, and
// a DENY of fe80::/10 would let all pass that have one.
func (c addressIn) holds(r *Request) bool {
	address := c.of(r).Unmap().WithZone("")
	for _, block := range c.want {
		if block.Contains(address) {
			return true
		}
	}
	return false
}

func compileAddresses(l list, of func(*Request) netip.Addr) condition {
	out := addressIn{of: of}
	for i, v := range l.values {
		block, err := parseBlock(v)
		if err != nil {
			l.refuse(i, "want an address or a CIDR")
		}
		out.want = append(out.want, block)
	}
	return out
}

func compileRemote(l list) condition {
	if !l.c.proxies {
		l.c.refuse(l.field, "needs the number of proxies that are trusted to name the client")
	}
	return compileAddresses(l, remote)
}

// parseBlock reads an address or a CIDR. Of an IPv4 address in IPv6 it takes
// the IPv4 address, as holds does.
func parseBlock(s string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(s); err == nil {
		address = address.Unmap().WithZone("")
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	block, err := netip.ParsePrefix(s)
	if inside := block.Bits() - 96; err == nil && block.Addr().Is4In6() && inside >= 0 {
		block = netip.PrefixFrom(block.Addr().Unmap(), inside)
	}
	return block, err
}
