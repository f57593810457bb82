package consul_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
)

const manager = "11111111-2222-3333-4444-555555555555"

// dialAs is a client with a token that may do what rules say.
func dialAs(t *testing.T, agent *consultest.Agent, rules string) *api.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	config := &api.Config{Address: agent.Address(), Transport: transport, Token: manager}
	client := newClient(t, config)
	if rules == "" {
		return client
	}
	name := fmt.Sprintf("p%x", sha256.Sum256([]byte(rules)))[:20]
	_, _, err := client.ACL().PolicyCreate(&api.ACLPolicy{Name: name, Rules: rules}, nil)
	must(t, err)
	token, _, err := client.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{Name: name}}}, nil)
	must(t, err)
	config.Token = token.SecretID
	return newClient(t, config)
}

func TestATokenThatMayNotReadIsTroubleAndOneThatMayIsEnough(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{Settings: map[string]any{"acl": map[string]any{
		"enabled": true, "default_policy": "deny", "tokens": map[string]any{"initial_management": manager, "agent": manager},
	}}})
	r, err := consul.Register(t.Context(), dialAs(t, agent, ""), consul.Service{Name: "reviews", Address: "127.0.0.1", Port: 1001, Drain: -1})
	must(t, err)
	defer r.Close()

	follow(t, consul.Discovery(dial(t, agent)), reviews).awaitError("nothing to be seen without a token")
	stranger := dialAs(t, agent, `service "ratings" { policy = "read" }`)
	follow(t, consul.Discovery(stranger), reviews).awaitError("the token may not read all of it")
	reader := dialAs(t, agent, `
		service "reviews" { policy = "read" }
		node_prefix "" { policy = "read" }
		key_prefix "inmesh/" { policy = "read" }
	`)
	follow(t, consul.Discovery(reader), reviews).await("the service", healths("127.0.0.1:1001 healthy"))

	publish(t, dialAs(t, agent, ""), split(90))
	source := consul.Rules(reader, "inmesh")
	if set := <-subscribe(t, source).sets; len(set.VirtualServices) != 1 {
		t.Errorf("the rules are %v", set.VirtualServices)
	}
	eventually(t, "that the report may not be written shows", func() bool {
		err := source.ReportErr()
		return err != nil && strings.Contains(err.Error(), "403")
	})
	for text, client := range map[string]*api.Client{
		"nothing to be seen without a token": dial(t, agent),
		"the token may not read all of it":   stranger,
	} {
		subscribe(t, consul.NewRules(client, consul.RulesConfig{Prefix: "inmesh", Quiet: true})).awaitError(text)
	}
}

// Where ACLs are off, nothing is kept from anybody, whatever would be denied by them.
func TestThatACLsWhichAreOffWouldDenyIsNoTrouble(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{Settings: map[string]any{"acl": map[string]any{"enabled": false, "default_policy": "deny"}}})
	client := dial(t, agent)
	follow(t, consul.Discovery(client), reviews).awaitError("unknown service")
	publish(t, client, split(90)) // in a folder that is empty
}
