package mesh

import (
	"net/netip"
	"testing"
)

// Addresses that are read in haste are what netip reads.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{
		"10.0.0.9:40000", "0.0.0.0:0", "255.255.255.255:65535", "256.0.0.1:1", "1.2.3.4:65536", "1.2.3.4", "1.2.3:4", "1.2.3.4.5:6",
		"01.2.3.4:5", "1.2.3.4:05", "1..3.4:5", "1.2.3.4:", ":80", "", "[::1]:80", "[::ffff:1.2.3.4]:80", "1.2.3.4:5:6", "@", "1.2.3.4:٣",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := netip.ParseAddrPort(s)
		got, ok := ipv4Port(s)
		switch {
		case ok && (err != nil || got != want):
			t.Errorf("%q: got %v, want %v (%v)", s, got, want, err)
		case !ok && err == nil && want.Addr().Is4() && want.String() == s:
			t.Errorf("%q was left to netip", s)
		}
	})
}
