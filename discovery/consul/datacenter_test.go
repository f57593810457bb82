package consul_test

import (
	"errors"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
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

const failOver = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 5}
    loadBalancer:
      localityLbSetting: {enabled: true, failover: [{from: dc1, to: dc3}]}
`

// Requests stay at home while somebody is well there, and go where the rules say
// when nobody is: to the third datacenter, though the second is there, too.
func TestRequestsFailOverToTheDatacenterThatTheRulesName(t *testing.T) {
	t.Parallel()
	home := consultest.Start(t, consultest.Config{})
	source, err := consul.NewSource(dial(t, home), consul.Config{Places: []consul.Place{{}, {Datacenter: "dc2"}, {Datacenter: "dc3"}}, Wait: 5 * time.Second})
	must(t, err)
	ports, at := map[string]int{}, map[string]*consul.Registration{}
	for name, agent := range map[string]*consultest.Agent{
		"dc1": home,
		"dc2": consultest.Start(t, consultest.Config{Node: "second", Datacenter: "dc2", Federated: []*consultest.Agent{home}}),
		"dc3": consultest.Start(t, consultest.Config{Node: "third", Datacenter: "dc3", Federated: []*consultest.Agent{home}}),
	} {
		ports[name] = serve(t)
		at[name] = register(t, agent, consul.Service{
			Name: "reviews", Address: "127.0.0.1", Port: ports[name], Drain: -1,
			Check: consul.Check{TTL: 2 * patience}, // longer than this machine pauses
		})
	}
	m := newMesh(t, mesh.Config{
		Workload:  mesh.Workload{Service: "productpage", Locality: discovery.Locality{Region: "dc1"}},
		Discovery: source, Rules: rules.Static(failOver), OutboundPolicy: mesh.RegistryOnly,
	})
	load := drive(t, m)
	load.joins("at home", ports["dc1"])
	eventually(t, "the mesh knows all three", func() bool {
		clusters := m.Clusters()
		return len(clusters) == 1 && len(clusters[0].Endpoints) == 3
	})
	at["dc1"].Report(errors.New("not well"))
	load.joins("home is not well", ports["dc3"])
	at["dc1"].Report(nil)
	load.joins("home is well again", ports["dc1"])
	load.leaves("home is well again", ports["dc3"])
	if n := load.failed.Load(); n > 0 || load.answered(ports["dc2"], time.Time{}) {
		t.Errorf("%d requests failed; the second datacenter was asked: %t", n, load.answered(ports["dc2"], time.Time{}))
	}
}
