package consul_test

import (
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
)

// regions are the endpoints' ports with their regions.
func regions(want map[string]string) func([]discovery.Endpoint) bool {
	return func(endpoints []discovery.Endpoint) bool {
		for _, e := range endpoints {
			if want[e.Address] != e.Locality.Region {
				return false
			}
		}
		return len(endpoints) == len(want)
	}
}

// Two federated datacenters are one set of endpoints, told apart by their
// localities, which is what rules fail over by. The loss of one leaves what is
// known of both.
func TestAnotherDatacenterIsAnotherRegion(t *testing.T) {
	t.Parallel()
	home := consultest.Start(t, consultest.Config{})
	away := consultest.Start(t, consultest.Config{Node: "away", Datacenter: "dc2", Federated: []*consultest.Agent{home}})
	register(t, away, consul.Service{Name: "reviews", Address: "127.0.0.1", Port: 1002, Drain: -1})

	source, err := consul.NewSource(dial(t, home), consul.Config{Places: []consul.Place{{}, {Datacenter: "dc2"}}, Wait: 5 * time.Second})
	must(t, err)
	f := follow(t, source, reviews)
	f.await("the instance of dc2", regions(map[string]string{"127.0.0.1:1002": "dc2"}))
	register(t, home, consul.Service{Name: "reviews", Address: "127.0.0.1", Port: 1001, Drain: -1})
	f.await("both", regions(map[string]string{"127.0.0.1:1001": "dc1", "127.0.0.1:1002": "dc2"}))
	byName := follow(t, source, discovery.Service{Host: "reviews.service.dc2.consul", Name: "reviews.service.dc2.consul"})
	byName.await("the instance of dc2 by its name", regions(map[string]string{"127.0.0.1:1002": "dc2"}))

	away.Kill()
	f.awaitError("in datacenter dc2")
	register(t, home, consul.Service{Name: "reviews", Address: "127.0.0.1", Port: 1003, Drain: -1})
	f.await("one more at home", regions(map[string]string{"127.0.0.1:1001": "dc1", "127.0.0.1:1002": "dc2", "127.0.0.1:1003": "dc1"}))
}
