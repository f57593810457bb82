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
		{address: "10.0.0.1:443", name: "api.example.com"},
		{address: "10.0.0.1:443", name: "2001:db8::8"},
		{address: "10.0.0.1:443", name: "api.example.com", h1: true},
		{address: "unix:///tmp/s", name: "api.example.com"},
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
