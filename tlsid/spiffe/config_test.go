package spiffe_test

import (
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/tlsid/spiffe"
)

func TestAddressesThatAreNoneAreRefused(t *testing.T) {
	for addr, want := range map[string]string{
		"/run/agent.sock":         `Config.Addr "/run/agent.sock": workload endpoint socket URI must have a "tcp" or "unix" scheme`,
		"unix://run/agent.sock":   "three slashes",
		"unix:agent.sock":         "must not be opaque",
		"unix://":                 "must include a path",
		"unix:///agent.sock?a=b":  "must not include query values",
		"unix://me@/agent.sock":   "must not include user info",
		"tcp://localhost:8000":    "must be an IP:port",
		"tcp://127.0.0.1":         "must include a port",
		"tcp://127.0.0.1:8000/a":  "must not include a path",
		"https://127.0.0.1:8000":  "scheme",
		"unix:///agent.sock\x00":  "invalid control character",
		"unix:///agent.sock#here": "must not include a fragment",
	} {
		_, err := spiffe.NewSource(spiffe.Config{Addr: addr})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", addr, err, want)
		}
	}
}

func TestAddressesOfTheSpecificationAreTaken(t *testing.T) {
	for _, addr := range []string{"unix:///run/agent.sock", "unix:/run/agent.sock", "tcp://127.0.0.1:8000", "tcp://[::1]:8000"} {
		if _, err := spiffe.NewSource(spiffe.Config{Addr: addr}); err != nil {
			t.Error(err)
		}
	}
}

func TestTheEnvironmentNamesTheAgentUnlessConfigDoes(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	agent.send(response(root, root.leaf(productpage)))
	t.Setenv("SPIFFE_ENDPOINT_SOCKET", agent.addr())
	watch(t, spiffe.Config{}).credential()

	t.Setenv("SPIFFE_ENDPOINT_SOCKET", "nonsense")
	watch(t, spiffe.Config{Addr: agent.addr()}).credential()
	_, err := spiffe.NewSource(spiffe.Config{})
	if want := `SPIFFE_ENDPOINT_SOCKET "nonsense": `; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q in it", err, want)
	}

	t.Setenv("SPIFFE_ENDPOINT_SOCKET", "")
	_, err = spiffe.NewSource(spiffe.Config{})
	if want := "set Config.Addr or SPIFFE_ENDPOINT_SOCKET"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q in it", err, want)
	}
}
