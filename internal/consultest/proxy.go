package consultest

import "testing"

// StartProxy runs Consul's own proxy beside an agent, with the arguments of consul
// connect proxy, until the test ends. It does not wait until it listens.
func StartProxy(t testing.TB, a *Agent, args ...string) {
	t.Helper()
	args = append([]string{"connect", "proxy", "-http-addr", a.Address(), "-log-level", "warn"}, args...)
	p, err := launch(a.logFile(), a.binary, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
}

// FreePort is a port of 127.0.0.1 on which nobody listens yet.
func FreePort(t testing.TB) int {
	t.Helper()
	return newPorts(t).HTTP
}
