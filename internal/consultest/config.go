package consultest

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"path/filepath"
	"testing"
)

// A Config says what kind of agent is wanted. The zero Config is a server of
// its own.
type Config struct {
	// Node is the agent's name. "": node.
	Node string
	// Datacenter is where it is. "": dc1.
	Datacenter string
	// Federated are servers of other datacenters, which it joins. nil: none.
	Federated []*Agent
	// HTTPS is a port on which the API is served by TLS, too; Settings say how. 0:
	// it is not.
	HTTPS int
	// Settings are added to the agent's configuration, in the words of
	// https://developer.hashicorp.com/consul/docs/agent/config/config-files, and
	// take the place of what stands there. nil: none.
	Settings map[string]any

	servers int      // of the cluster; 0: this one alone
	client  bool     // not a server
	join    []string // other agents
	host    string   // where it listens for others; "": loopback
	told    string   // the address that it tells others; "": that
}

func (c Config) advertised() string { return cmp.Or(c.told, c.host, loopback) }

func (c Config) name() string { return cmp.Or(c.Node, "node") }

func (c Config) federation() (join []string) {
	for _, a := range c.Federated {
		join = append(join, address(a.ports.wan))
	}
	return join
}

type settings = map[string]any

// settings are the agent's configuration.
func (c Config) settings(dir string, p ports) settings {
	s := settings{
		"node_name":            c.name(),
		"datacenter":           cmp.Or(c.Datacenter, "dc1"),
		"retry_join_wan":       c.federation(),
		"data_dir":             filepath.Join(dir, "data"),
		"bind_addr":            cmp.Or(c.host, loopback),
		"advertise_addr":       c.advertised(),
		"client_addr":          loopback,
		"ports":                p.settings(),
		"server":               !c.client,
		"log_level":            "warn",
		"disable_update_check": true,
		"leave_on_terminate":   false,
		"connect":              settings{"enabled": true},
		"performance":          settings{"raft_multiplier": 1},
		"autopilot":            settings{"cleanup_dead_servers": false},
		"gossip_lan":           settings{"gossip_interval": "100ms", "probe_interval": "300ms", "probe_timeout": "200ms"},
		// Agents re-read what they were told by others, and tests have no minute.
		"check_update_interval": "0s",
		// All processes of a test have one address.
		"limits": settings{"http_max_conns_per_client": 4000},
	}
	if c.HTTPS != 0 {
		s["ports"].(settings)["https"] = c.HTTPS
	}
	if !c.client {
		s["bootstrap_expect"] = max(c.servers, 1)
	}
	if len(c.join) > 0 {
		s["retry_join"], s["retry_interval"] = c.join, "1s"
	}
	maps.Copy(s, c.Settings)
	return s
}

const loopback = "127.0.0.1"

// ports are those of one agent.
type ports struct{ HTTP, server, serf, wan, grpc int }

func (p ports) settings() settings {
	return settings{
		"http": p.HTTP, "server": p.server, "serf_lan": p.serf, "serf_wan": p.wan, "grpc": p.grpc,
		"https": -1, "dns": -1, "grpc_tls": -1,
	}
}

// newPorts returns ports that are free. They are all taken for a moment, so
// that they differ.
func newPorts(t testing.TB) (p ports) {
	t.Helper()
	for _, port := range []*int{&p.HTTP, &p.server, &p.serf, &p.wan, &p.grpc} {
		l := takePort(t)
		defer l.Close()
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return p
}

// takePort listens on a port that is the test's until it ends, and that no connection
// gets for its own end: systems take those above 32767. An agent listens a moment
// later, and again when it has been killed.
func takePort(t testing.TB) net.Listener {
	t.Helper()
	var err error
	for range 100 {
		port := 10000 + rand.IntN(20000)
		if err = reserve(t, port); err != nil { // first, or another test's agent could not listen for a moment
			continue
		}
		var l net.Listener
		if l, err = net.Listen("tcp", address(port)); err == nil {
			return l
		}
	}
	t.Fatal(err)
	return nil
}

func address(port int) string { return fmt.Sprintf("%s:%d", loopback, port) }
