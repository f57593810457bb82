package consulca_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/tlsid/consulca"
)

func Example() {
	client, err := api.NewClient(exampleConfig()) // mostly api.DefaultConfig()
	if err != nil {
		log.Fatal(err)
	}
	source := consulca.New(client, "web")
	for credential, err := range source.Watch(context.Background()) {
		if err != nil {
			log.Print(err) // the last one stands
			continue
		}
		fmt.Println(credential.ID()) // tlsid.Current.Store, or give the source to the mesh
		break
	}
	// Output: spiffe://1-2.consul/ns/default/dc/dc1/svc/web
}

// exampleConfig is for an agent in memory, which knows the service web.
func exampleConfig() *api.Config {
	ca := newAuthority(nil, time.Hour)
	agent := new(script)
	agent.say(ca.leaf(), ca.roots())
	return &api.Config{Address: "agent", HttpClient: consultest.InMemory(agent)}
}
