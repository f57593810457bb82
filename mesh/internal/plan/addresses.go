package plan

import (
	"net/netip"
	"slices"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// An addressView is the addresses that ServiceEntries list, and whose they are.
type addressView struct {
	single map[netip.Addr][]int // → places of services
	ranges []addressRange       // the narrowest first
}

type addressRange struct {
	net   netip.Prefix
	place int
}

// viewAddresses makes one; it is made anew with each change of a ServiceEntry.
func viewAddresses(hosts []serviceHost, all []*rules.ServiceEntry) *addressView {
	v := &addressView{single: map[netip.Addr][]int{}}
	for i, h := range hosts {
		for _, entry := range h.entries {
			v.add(prefixes(all[entry].Spec.Addresses), i)
		}
	}
	slices.SortStableFunc(v.ranges, func(a, b addressRange) int { return b.net.Bits() - a.net.Bits() })
	return v
}

func (v *addressView) add(addresses []netip.Prefix, place int) {
	for _, n := range addresses {
		if n.IsSingleIP() {
			v.single[n.Addr()] = append(v.single[n.Addr()], place)
		} else {
			v.ranges = append(v.ranges, addressRange{n, place})
		}
	}
}

// LookupAddress finds the virtual host of an address and port that are dialled: that
// of the service that lists them. The VirtualHost is nil if none does.
func (p *Plan) LookupAddress(to netip.AddrPort) Target {
	t := Target{Name: to.Addr().String(), Port: to.Port()}
	place, ok := p.serviceAt(to)
	if !ok {
		return t
	}
	if found := p.Lookup(p.services[place].Host); found.VirtualHost != nil {
		found.Port = to.Port()
		return found
	}
	return t
}

func (p *Plan) serviceAt(to netip.AddrPort) (place int, ok bool) {
	for _, i := range p.addresses.single[to.Addr()] {
		if _, ok := p.services[i].port(to.Port()); ok {
			return i, true
		}
	}
	for _, r := range p.addresses.ranges {
		if _, ok := p.services[r.place].port(to.Port()); ok && r.net.Contains(to.Addr()) {
			return r.place, true
		}
	}
	return 0, false
}
