package plan_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// taken is the host that a connection to an address goes to: to a host's name, or to
// an IP; "unknown" if no rule names it.
func taken(p *plan.Plan, address string) string {
	to, _ := netip.ParseAddrPort(address)
	t := p.Lookup(address)
	if t.VirtualHost == nil && to.IsValid() {
		t = p.LookupAddress(to)
	}
	if t.VirtualHost == nil {
		return "unknown"
	}
	host := p.Key(t.MatchTCP(to.Addr(), t.Port).Choose(0), t).Host
	return strings.TrimSuffix(host, ".default.svc.cluster.local")
}

func serviceAt(name, addresses string, port string) string {
	return serviceEntry(name, "hosts: ["+name+".com]\naddresses: ["+addresses+"]\nports: [{number: "+port+", name: tcp, protocol: TCP}]\nresolution: STATIC\nendpoints: [{address: 1.2.3.4}]")
}

func TestAddressesAreTheirServices(t *testing.T) {
	p := compile(t, serviceAt("wide", "10.0.0.0/8", "1"), serviceAt("narrow", `10.1.0.0/16, "2001:db8::/32"`, "1"), serviceAt("one", "10.1.1.1", "1"),
		serviceAt("other", "10.1.1.1", "2"), serviceAt("second", "10.1.1.1", "1"))
	for address, want := range map[string]string{
		"10.9.9.9:1": "wide.com", "10.1.9.9:1": "narrow.com", "10.1.1.1:1": "one.com", // the narrowest, and of two the first
		"10.1.1.1:2": "other.com", "10.1.1.1:3": "unknown", "11.1.1.1:1": "unknown",
		"[2001:db8::7]:1": "narrow.com", "[2001:db9::7]:1": "unknown", "one.com:1": "one.com",
	} {
		if got := taken(p, address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

// An edit of an address holds, and so do those that stay.
func TestAddressesFollowTheirEdit(t *testing.T) {
	p := compile(t, serviceAt("a", "10.0.0.1", "1"), serviceAt("b", "10.0.0.2", "1"))
	p = plan.Recompile(p, parse(t, serviceAt("a", "10.0.0.9", "1"), serviceAt("b", "10.0.0.2", "1")), plan.Options{})
	for address, want := range map[string]string{"10.0.0.1:1": "unknown", "10.0.0.9:1": "a.com", "10.0.0.2:1": "b.com"} {
		if got := taken(p, address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

// The TCP routes of all rules for a host count, one after the other; rules for
// requests do not stand in their way, nor they in the way of those.
func TestTCPRoutesOfSeveralRules(t *testing.T) {
	to := func(host string) string { return "route: [{destination: {host: " + host + "}}]" }
	p := compile(t,
		virtualService("a", "hosts: [s]\nhttp: [{"+to("web")+"}]"),
		virtualService("b", "hosts: [s]\ntcp: [{match: [{port: 1}], "+to("first")+"}]"),
		virtualService("c", "hosts: [s]\ntcp: [{"+to("second")+"}, {"+to("never")+"}]"),
		virtualService("d", "hosts: ['*.w.com']\ntcp: [{"+to("wild")+"}]"),
		virtualService("e", "hosts: [g]\ngateways: [x]\ntcp: [{"+to("never")+"}]"),
		destinationRule("f", "host: plain"),
	)
	for address, want := range map[string]string{"s:1": "first", "s:2": "second", "x.w.com:1": "wild", "plain:1": "plain", "g:1": "unknown"} {
		if got := taken(p, address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
	if got := owner(p, "http://s/"); got != "default/a" {
		t.Errorf("requests are %s's", got)
	}
	if losers := p.Lookup("s").Losers; len(losers) > 0 {
		t.Errorf("%v are said to be of no effect", losers[0].Name)
	}
}

// What subnets hold is what is within them, for addresses that are dialled and for
// those that a name stands for, compared with a look at each bit.
func TestDestinationSubnets(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		own := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(dice.IntN(4)), 0, byte(dice.IntN(4))}), 8+dice.IntN(25)).Masked()
		net := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(dice.IntN(4)), 0, byte(dice.IntN(4))}), 8+dice.IntN(25)).Masked()
		dialled := netip.AddrFrom4([4]byte{10, byte(dice.IntN(4)), 0, byte(dice.IntN(4))})
		p := compile(t, serviceAt("s", own.String(), "1"),
			virtualService("v", "hosts: [s.com]\ntcp: [{match: [{destinationSubnets: ["+net.String()+"]}], route: [{destination: {host: in.com}}]}]"))
		within := net.Bits() <= own.Bits() && bits(net.Addr(), net.Bits()) == bits(own.Addr(), net.Bits())
		if got := taken(p, "s.com:1") == "in.com"; got != within {
			t.Errorf("a name at %s, subnet %s: %t", own, net, got)
		}
		want := "unknown"
		switch {
		case bits(own.Addr(), own.Bits()) != bits(dialled, own.Bits()):
		case bits(net.Addr(), net.Bits()) == bits(dialled, net.Bits()):
			want = "in.com"
		default:
			want = "s.com"
		}
		if got := taken(p, dialled.String()+":1"); got != want {
			t.Errorf("%s of %s, subnet %s: got %s, want %s", dialled, own, net, got, want)
		}
	}
}

// bits are the first n of an address, as text.
func bits(a netip.Addr, n int) string {
	var b strings.Builder
	for i := range n {
		if a.AsSlice()[i/8]>>(7-i%8)&1 == 1 {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	return b.String()
}
