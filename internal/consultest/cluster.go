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
	c := &Cluster{t: t}
	all := make([]ports, servers)
	for i := range all {
		all[i] = newPorts(t)
		c.join = append(c.join, address(all[i].serf))
	}
	for i, p := range all {
		c.Servers = append(c.Servers, begin(t, Config{Node: fmt.Sprintf("server%d", i+1), servers: servers, join: c.join}, p))
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
		if a.process != nil && votes[address(a.ports.server)] > len(c.Servers)/2 {
			return a
		}
	}
	return nil
}
