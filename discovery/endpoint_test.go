package discovery_test

import (
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
)

func TestAddressesThatCanBeDialledAreValid(t *testing.T) {
	for _, address := range []string{
		"127.0.0.1:9081", "[::1]:80", "[fe80::1%eth0]:80", "reviews:80", "api.example.com.:65535", "under_score.example:1",
		"unix:///run/reviews.sock", "unix://@abstract",
	} {
		if err := discovery.Validate(discovery.Addresses(address)); err != nil {
			t.Error(err)
		}
	}
}

func TestAddressesThatCannotBeDialledAreRefused(t *testing.T) {
	for address, want := range map[string]string{
		"":                              "want ip:port, host:port or unix:///path",
		"10.0.0.1":                      "want ip:port, host:port or unix:///path",
		"::1:80":                        "want ip:port, host:port or unix:///path",
		"10.0.0.1:":                     "want a number from 1 to 65535",
		"10.0.0.1:0":                    "want a number from 1 to 65535",
		"10.0.0.1:65536":                "want a number from 1 to 65535",
		"10.0.0.1:080":                  "want a number from 1 to 65535",
		"10.0.0.1:http":                 "want a number from 1 to 65535",
		"[0::1]:80":                     `write it "[::1]:80"`,
		"[2001:DB8::1]:80":              `write it "[2001:db8::1]:80"`,
		"10.0.0.256:80":                 "neither an IP nor a lower-case host name",
		"Reviews:80":                    "neither an IP nor a lower-case host name",
		"-a:80":                         "neither an IP nor a lower-case host name",
		"a..b:80":                       "neither an IP nor a lower-case host name",
		":80":                           "neither an IP nor a lower-case host name",
		"http://a:80":                   "want ip:port",
		"unix://relative":               "want unix:///absolute/path",
		"unix:///":                      "want unix:///absolute/path",
		strings.Repeat("a", 64) + ":80": "neither an IP nor a lower-case host name",
	} {
		if err := discovery.Validate(discovery.Addresses(address)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want %s, got %v", address, want, err)
		}
	}
}

func TestFaultyEndpointsAreRefused(t *testing.T) {
	for _, test := range []struct {
		endpoint discovery.Endpoint
		want     string
	}{
		{discovery.Endpoint{Address: "a:1", Labels: map[string]string{"": "x"}}, "a label has no name"},
		{discovery.Endpoint{Address: "a:1", Health: 7}, "health(7)"},
		{discovery.Endpoint{Address: "a:1", Identity: "reviews"}, "want spiffe://"},
	} {
		if err := discovery.Validate([]discovery.Endpoint{test.endpoint}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("want %s, got %v", test.want, err)
		}
	}
}

func TestEndpointsAreEqualWhenTheySayTheSame(t *testing.T) {
	base := func() discovery.Endpoint {
		return discovery.Endpoint{Address: "a:1", Labels: map[string]string{"version": "v1"}, Weight: 1}
	}
	if !base().Equal(base()) {
		t.Error("an endpoint does not equal itself")
	}
	for name, change := range map[string]func(*discovery.Endpoint){
		"address":  func(e *discovery.Endpoint) { e.Address = "b:1" },
		"labels":   func(e *discovery.Endpoint) { e.Labels["version"] = "v2" },
		"locality": func(e *discovery.Endpoint) { e.Locality.Zone = "a" },
		"weight":   func(e *discovery.Endpoint) { e.Weight = 2 },
		"health":   func(e *discovery.Endpoint) { e.Health = discovery.Draining },
		"identity": func(e *discovery.Endpoint) { e.Identity = "spiffe://a/b" },
	} {
		e := base()
		change(&e)
		if e.Equal(base()) {
			t.Errorf("another %s makes no difference", name)
		}
	}
}

func TestLocalityAndHealthAreReadAsTheyAreWritten(t *testing.T) {
	for _, text := range []string{"", "eu", "eu/a", "eu/a/1"} {
		if l, err := discovery.ParseLocality(text); err != nil || l.String() != text {
			t.Errorf("%q: got %q, %v", text, l, err)
		}
	}
	for _, h := range []discovery.Health{discovery.Healthy, discovery.Unhealthy, discovery.Draining} {
		if got, err := discovery.ParseHealth(h.String()); err != nil || got != h {
			t.Errorf("%v: got %v, %v", h, got, err)
		}
	}
}
