package guard_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/guard"
)

func TestTheRemoteAddressIsWhatTrustedProxiesWrote(t *testing.T) {
	const peer = "10.0.0.7"
	for _, c := range []struct {
		proxies int
		lines   []string
		want    string
	}{
		{0, []string{"1.1.1.1"}, peer},
		{1, nil, peer},
		{1, []string{"1.1.1.1"}, "1.1.1.1"},
		{1, []string{"6.6.6.6, 1.1.1.1"}, "1.1.1.1"},
		{1, []string{"6.6.6.6", "1.1.1.1"}, "1.1.1.1"},
		{1, []string{"1.1.1.1, "}, ""},
		{2, []string{"1.1.1.1"}, peer},
		{2, []string{"6.6.6.6, 1.1.1.1", "10.0.0.9"}, "1.1.1.1"},
		{2, []string{"6.6.6.6", "1.1.1.1", "10.0.0.9"}, "1.1.1.1"},
		{2, []string{"6.6.6.6, 1.1.1.1, 10.0.0.9"}, "1.1.1.1"},
		{2, []string{"", "10.0.0.9"}, ""},
		{3, []string{"1.1.1.1", "10.0.0.9"}, peer},
		{1, []string{"unknown"}, ""},
		{1, []string{"1.1.1.1:4711"}, "1.1.1.1"},
		{1, []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{1, []string{"2001:db8::1"}, "2001:db8::1"},
		{1, []string{"[2001:db8::1]"}, "2001:db8::1"},
	} {
		d := newDoor(t, guard.Config{TrustedProxies: c.proxies}, "")
		v := visit(nil, "/")
		v.Header = http.Header{"X-Forwarded-For": c.lines}
		d.admits(v, 0)
		var want netip.Addr
		if c.want != "" {
			want = netip.MustParseAddr(c.want)
		}
		if v.Remote != want {
			t.Errorf("%d proxies, %q: %s, want %q", c.proxies, c.lines, v.Remote, c.want)
		}
		lower := visit(nil, "/")
		lower.LowerKeys, lower.Header = true, map[string][]string{"x-forwarded-for": c.lines}
		d.admits(lower, 0)
		if lower.Remote != v.Remote {
			t.Errorf("%d proxies, %q: %s in lower case, %s else", c.proxies, c.lines, lower.Remote, v.Remote)
		}
	}
}
