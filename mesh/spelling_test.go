package mesh

import (
	"net/url"
	"testing"
)

func TestALineIsReadAsItWasSpelt(t *testing.T) {
	for _, l := range []line{
		{address: "10.0.0.1:80"},
		{address: "[2001:db8::7]:80"},
		{address: "name:80"},
		{address: "unix:///tmp/a socket/ü.sock"},
		{address: "unix://@abstract"},
		{address: "61-62-identity.invalid:0"}, // of a request to any host at all
		{"10.0.0.1:443", byCaller, "api.example.com", false},
		{"10.0.0.1:443", byCaller, "2001:db8::8", false},
		{"10.0.0.1:443", byCaller, "api.example.com", true},
		{"10.0.0.1:80", byFiles, "api.example.com", true},
		{"10.0.0.1:80", byFiles, "", false},
		{"10.0.0.1:80", byIdentity, "spiffe://cluster.local/ns/default/sa/reviews", true},
		{"10.0.0.1:80", byIdentity, "", false},
		{"unix:///tmp/s", byIdentity, "spiffe://cluster.local/ns/default/sa/reviews", true},
		{"unix:///tmp/s", byCaller, "api.example.com", false},
	} {
		host := l.host()
		if got := lineOf(host); got != l {
			t.Errorf("%+v was read as %+v", l, got)
		}
		u, err := url.Parse("http://" + host + "/")
		if err != nil || u.Host != host || u.Port() == "" {
			t.Errorf("%q is no host of a URL: %v", host, err)
		}
	}
}
