package consul_test

import (
	"net/http"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/internal/consultest"
)

// dial is a client of a real agent. Its idle connections end with the test.
func dial(t *testing.T, agent *consultest.Agent) *api.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 10}
	t.Cleanup(transport.CloseIdleConnections)
	return newClient(t, &api.Config{Address: agent.Address(), Transport: transport})
}

func newClient(t *testing.T, c *api.Config) *api.Client {
	t.Helper()
	client, err := api.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
