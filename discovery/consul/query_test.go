package consul_test

import (
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
)

// A prepared query of a real agent says which instances there are, here those with
// a tag.
func TestAPreparedQueryIsADiscoveredService(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	client := dial(t, agent)
	register(t, agent, consul.Service{Name: "reviews", Address: "127.0.0.1", Port: 1001, Drain: -1})
	_, _, err := client.PreparedQuery().Create(&api.PreparedQueryDefinition{
		Name: "canaries", Service: api.ServiceQuery{Service: "reviews", Tags: []string{"canary"}},
	}, nil)
	must(t, err)
	source, err := consul.NewSource(client, consul.Config{QueryInterval: 100 * time.Millisecond})
	must(t, err)
	f := follow(t, source, discovery.Service{Host: "canaries.query.consul", Name: "canaries.query.consul"})
	f.awaitError("unknown service")
	register(t, agent, consul.Service{Name: "reviews", Address: "127.0.0.1", Port: 1002, Tags: []string{"canary"}, Drain: -1})
	f.await("the canary alone", healths("127.0.0.1:1002 healthy"))
}
