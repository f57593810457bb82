package mesh

import (
	"net"
	"net/http"
	"net/netip"
)

// localOf is the address of this end.
func localOf(r *http.Request) netip.AddrPort {
	switch local := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.TCPAddr:
		ap := local.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	case net.Addr:
		return addrPort(local.String())
	}
	return netip.AddrPort{}
}

// addrPort is the zero AddrPort for what is none, such as a unix socket.
func addrPort(s string) netip.AddrPort {
	if ap, ok := ipv4Port(s); ok {
		return ap
	}
	ap, _ := netip.ParseAddrPort(s)
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// ipv4Port reads 10.0.0.9:40000, as net writes the addresses of most callers, at
// less than half of what netip takes. What has a zero too many it leaves to netip.
func ipv4Port(s string) (ap netip.AddrPort, ok bool) {
	var ip [len(separators)]byte
	at := 0
	for i := range ip {
		number, end := numberAt(s, at)
		if number > 255 || end == len(s) || s[end] != separators[i] {
			return ap, false
		}
		ip[i], at = byte(number), end+1
	}
	port, end := numberAt(s, at)
	if port > 1<<16-1 || end < len(s) {
		return ap, false
	}
	return netip.AddrPortFrom(netip.AddrFrom4(ip), uint16(port)), true
}

// separators follow the parts of an IPv4 address with a port.
const separators = "...:"

// numberAt reads digits, and returns where they end. What is no number, or has a
// zero before it, is a large one.
func numberAt(s string, from int) (number, end int) {
	for end = from; end < len(s) && s[end]-'0' < 10; end++ {
		number = number*10 + int(s[end]-'0')
	}
	if n := end - from; n == 0 || n > 1 && s[from] == '0' || n > len("65535") {
		number = 1 << 16
	}
	return number, end
}
