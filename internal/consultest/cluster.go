package consultest

import (
	"context"
	"fmt"
	"testing"
)

// A Cluster is several servers of one datacenter.
type Cluster struct {
	t       testing.TB
	Servers []*Agent
	join    []string
}

// StartCluster starts so many servers and returns when all of them have found
// their leader.
func StartCluster(t testing.TB, servers int) *Cluster {
	t.Helper()
	return startCluster(t, servers, func(int, ports) Config { return Config{} })
}

// StartOver is StartCluster over a network that can be divided. It needs a system
// whose loopback device has all of 127.0.0.0/8, as Linux's.
func StartOver(t testing.TB, servers int) (*Cluster, *Network) {
	t.Helper()
	network := newNetwork()
	t.Cleanup(network.close)
	return startCluster(t, servers, func(i int, p ports) Config {
		network.join(t, i, p)
		return Config{host: own(i), told: told(i)}
	}), network
}

// startCluster starts servers whose ith is where place says.
func startCluster(t testing.TB, servers int, place func(int, ports) Config) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	all, configs := make([]ports, servers), make([]Config, servers)
	for i := range all {
		all[i] = newPorts(t)
		configs[i] = place(i, all[i])
		c.join = append(c.join, fmt.Sprintf("%s:%d", configs[i].advertised(), all[i].serf))
	}
	for i, p := range all {
		configs[i].Node, configs[i].servers, configs[i].join = fmt.Sprintf("server%d", i+1), servers, c.join
		c.Servers = append(c.Servers, begin(t, configs[i], p))
	}
	for _, a := range c.Servers {
		a.await("a leader", a.hasLeader)
	}
	return c
}

// StartClient starts an agent that is no server and asks the cluster's, as one
// stands on each machine.
func (c *Cluster) StartClient() *Agent {
	c.t.Helper()
	a := begin(c.t, Config{Node: "client", client: true, join: c.join}, newPorts(c.t))
	a.await("a leader", a.hasLeader)
	return a
}

// Leader is the server that leads.
func (c *Cluster) Leader() *Agent {
	c.t.Helper()
	var leader *Agent
	c.Servers[0].await("a leader among the cluster", func(ctx context.Context) bool {
		leader = c.leader(ctx)
		return leader != nil
	})
	return leader
}

// leader is the server that a majority takes for the leader; nil for none.
func (c *Cluster) leader(ctx context.Context) *Agent {
	votes := map[string]int{}
	for _, a := range c.Servers {
		var address string
		if a.process != nil && a.get(ctx, "/v1/status/leader", &address) == nil {
			votes[address]++
		}
	}
	for _, a := range c.Servers {
		if a.process != nil && votes[fmt.Sprintf("%s:%d", a.config.advertised(), a.ports.server)] > len(c.Servers)/2 {
			return a
		}
	}
	return nil
}
