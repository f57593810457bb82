package consul_test

import (
	"context"
	"fmt"
	"log"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/tlsid"
)

// The endpoints of a service, as a mesh follows them.
func Example() {
	client, err := api.NewClient(exampleConfig()) // mostly api.DefaultConfig()
	if err != nil {
		log.Fatal(err)
	}
	source := consul.Discovery(client) // mesh.Config.Discovery
	reviews := discovery.Service{Host: "reviews.default.svc.cluster.local", Name: "reviews", Namespace: "default"}
	for endpoints, err := range source.Watch(context.Background(), reviews) {
		if err != nil {
			log.Print(err) // the last ones stand
			continue
		}
		for _, e := range endpoints {
			fmt.Println(e.Address, e.Labels["version"], e.Health)
		}
		break
	}
	// Output:
	// 10.0.0.1:9080 v1 healthy
	// 10.0.0.1:9081 v2 draining
}

// Rules that stand in KV.
func ExampleRules() {
	client, err := api.NewClient(exampleConfig())
	if err != nil {
		log.Fatal(err)
	}
	source := consul.NewRules(client, consul.RulesConfig{Prefix: "inmesh", Quiet: true}) // mesh.Config.Rules
	for set, err := range source.Watch(context.Background()) {
		if err != nil {
			log.Print(err) // the last ones stand
			continue
		}
		for _, rule := range set.DestinationRules {
			fmt.Println(rule.File, "is about", rule.Spec.Host)
		}
		break
	}
	// Output: inmesh/default/DestinationRule/reviews is about reviews
}

// What Consul's intentions say of a request.
func ExampleIntentions() {
	client, err := api.NewClient(exampleConfig())
	if err != nil {
		log.Fatal(err)
	}
	source := consul.Intentions(client, "reviews") // mesh.Config.Access
	for intentions, err := range source.Watch(context.Background()) {
		if err != nil {
			log.Print(err) // the last ones stand
			continue
		}
		for _, name := range []string{"productpage", "mallory"} {
			peer, err := tlsid.ParseID("spiffe://1-2.consul/ns/default/dc/dc1/svc/" + name)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(intentions.Check(&authz.Request{Peer: peer, Method: "GET"}))
		}
		break
	}
	// Output:
	// <nil>
	// denied by Consul's intentions: no intention, and the default policy denies
}

// exampleConfig is for an agent in memory.
func exampleConfig() *api.Config {
	s := newScript()
	s.say(healthOfReviews, instances(
		instance(9080, meta("version", "v1"), checks("passing")),
		instance(9081, tags("v2"), checks("passing", "_service_maintenance:i")),
	))
	s.say(rulesInKV, pairs(subsets()))
	s.say("/v1/connect/intentions/match", scripted{body: map[string]any{
		"reviews": []*api.Intention{{SourceName: "productpage", DestinationName: "reviews", Action: api.IntentionActionAllow}},
	}})
	s.say("/v1/agent/self", scripted{body: map[string]any{
		"DebugConfig": map[string]any{"DefaultIntentionPolicy": "deny", "ACLsEnabled": true},
	}})
	s.say("/v1/agent/connect/ca/roots", scripted{body: api.CARootList{TrustDomain: "1-2.consul"}})
	for _, name := range []string{"reviews", "*"} {
		s.say("/v1/config/service-intentions/"+name, scripted{status: 404})
	}
	return &api.Config{Address: "agent", HttpClient: consultest.InMemory(s)}
}
