package consul_test

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/discovery/discoverytest"
	"github.com/inmesh-go/inmesh/internal/consultest"
)

func TestSourceConforms(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	discoverytest.Run(t, func(t *testing.T) discoverytest.Harness {
		c := &catalog{t, dial(t, agent)}
		c.clear()
		source, err := consul.NewSource(c.client, consul.Config{Hold: time.Second})
		must(t, err)
		return discoverytest.Harness{
			Source: source, Set: c.set, Remove: c.remove,
			Break: agent.Kill, Heal: agent.Restart, Patience: patience,
		}
	})
}

// A catalog is what the agent says is registered with it.
type catalog struct {
	t      *testing.T
	client *api.Client
}

// set makes these the instances of a service.
func (c *catalog) set(name string, endpoints []discovery.Endpoint) {
	c.t.Helper()
	wanted := map[string]bool{}
	for _, e := range endpoints {
		wanted[name+"-"+e.Address] = true
		c.register(name, e.Address)
	}
	for id, s := range c.registered() {
		if s.Service == name && !wanted[id] {
			must(c.t, c.client.Agent().ServiceDeregister(id))
		}
	}
}

func (c *catalog) register(name, address string) {
	c.t.Helper()
	host, port, err := net.SplitHostPort(address)
	must(c.t, err)
	n, err := strconv.Atoi(port)
	must(c.t, err)
	must(c.t, c.client.Agent().ServiceRegister(&api.AgentServiceRegistration{ID: name + "-" + address, Name: name, Address: host, Port: n}))
}

func (c *catalog) remove(name string) { c.set(name, nil) }

func (c *catalog) clear() {
	c.t.Helper()
	for id := range c.registered() {
		must(c.t, c.client.Agent().ServiceDeregister(id))
	}
}

func (c *catalog) registered() map[string]*api.AgentService {
	c.t.Helper()
	services, err := c.client.Agent().Services()
	must(c.t, err)
	return services
}
