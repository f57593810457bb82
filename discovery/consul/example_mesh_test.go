package consul_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/mesh"
)

// A mesh that has from Consul where the others are, the rules, and who may call.
// With consulca.New as its Identity callers can prove who they are; this one cannot,
// and so no intention lets it in.
func Example_mesh() {
	client, err := api.NewClient(exampleConfig())
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	m, err := mesh.New(ctx, mesh.Config{
		Workload:  mesh.Workload{Service: "reviews"},
		Discovery: consul.Discovery(client),
		Rules:     consul.NewRules(client, consul.RulesConfig{Prefix: "inmesh", Quiet: true}),
		Access:    consul.Intentions(client, "reviews"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	answer := httptest.NewRecorder()
	m.Handler(http.NotFoundHandler()).ServeHTTP(answer, httptest.NewRequest("GET", "http://reviews/", nil))
	fmt.Println(answer.Code, answer.Body)
	// Output: 403 RBAC: access denied
}
