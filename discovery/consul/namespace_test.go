package consul_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/tlsid"
)

// Namespaces and partitions are Enterprise's, whose agent nobody can start here: an
// agent in memory notes what it is asked.
func TestPlacesAreAskedFor(t *testing.T) {
	shop := discovery.Service{Host: "reviews.shop.svc.cluster.local", Name: "reviews", Namespace: "shop"}
	for name, c := range map[string]struct {
		config  consul.Config
		service discovery.Service
		want    string
	}{
		"a namespace and a partition": {consul.Config{Places: []consul.Place{{Namespace: "books", Partition: "eu"}}}, shop, "?ns=books&partition=eu"},
		"the host's namespace":        {consul.Config{Namespaces: true, Places: []consul.Place{{Namespace: "books", Partition: "eu"}}}, shop, "?ns=shop&partition=eu"},
		"not the host's namespace":    {consul.Config{}, shop, ""},
		"a peer":                      {consul.Config{Places: []consul.Place{{Peer: "b"}}}, shop, "?peer=b"},
		"another datacenter by name": {consul.Config{Places: []consul.Place{{Namespace: "books", Partition: "eu"}}},
			discovery.Service{Host: "reviews.service.dc2.consul", Name: "reviews.service.dc2.consul"}, "?dc=dc2&ns=books&partition=eu"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				s.say(healthOfReviews, instances(instance(80)))
				watch(t, newSource(t, s, c.config), c.service).set(t)
				if want := []string{healthOfReviews + c.want}; !slices.Equal(s.asked, want) {
					t.Errorf("asked for %q, want %q", s.asked, want)
				}
			})
		})
	}
}

func TestIdentitiesNameNamespaceAndPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say("/v1/agent/connect/ca/roots", scripted{body: api.CARootList{TrustDomain: "1-2.consul"}})
		s.say("/v1/health/connect/reviews", instances(instance(80, func(e *api.ServiceEntry) {
			e.Service.Namespace, e.Service.Partition = "books", "eu"
		})))
		got := watch(t, newSource(t, s, consul.Config{Connect: true}), reviews).set(t)
		if len(got) != 1 || got[0].Identity != "spiffe://1-2.consul/ap/eu/ns/books/dc/dc1/svc/reviews" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestIntentionsTellNamespacesAndPartitionsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say("/v1/connect/intentions/match", scripted{body: map[string]any{"reviews": []*api.Intention{
			{SourceName: "web", SourceNS: "shop", SourcePartition: "eu", Action: api.IntentionActionAllow, Precedence: 9},
			{SourceName: "*", SourceNS: "*", SourcePartition: "us", Action: api.IntentionActionAllow, Precedence: 1},
		}}})
		s.say("/v1/agent/connect/ca/roots", scripted{body: api.CARootList{TrustDomain: "1-2.consul"}})
		for _, name := range []string{"reviews", "*"} {
			s.say("/v1/config/service-intentions/"+name, scripted{status: 404})
		}
		v := listen(t, consul.NewIntentions(s.client(t), consul.IntentionsConfig{
			Service: "reviews", Namespace: "books", Partition: "eu", Default: api.IntentionActionDeny,
		}))
		synctest.Wait()
		for path, want := range map[string]bool{
			"/ap/eu/ns/shop/dc/dc1/svc/web":    true,
			"/ap/eu/ns/default/dc/dc1/svc/web": false,
			"/ns/shop/dc/dc1/svc/web":          false,
			"/ap/us/ns/any/dc/dc1/svc/any":     true,
			"/ap/us/svc/any":                   false,
		} {
			id, err := tlsid.ParseID("spiffe://1-2.consul" + path)
			must(t, err)
			if err := v.Check(authz.Request{Peer: id}); (err == nil) != want {
				t.Errorf("%s: %v, want allowed: %t", path, err, want)
			}
		}
		for _, asked := range s.asked {
			if strings.Contains(asked, "intentions") && !strings.Contains(asked, "ns=books&partition=eu") {
				t.Errorf("asked for %q", asked)
			}
		}
	})
}

// A clerk is an agent in memory that notes what it is told.
type clerk struct {
	mu    sync.Mutex
	calls []string // paths with queries
	said  api.AgentServiceRegistration
}

func (c *clerk) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, strings.TrimPrefix(r.URL.Path, "/v1/agent/")+"?"+r.URL.Query().Encode())
	if strings.HasSuffix(r.URL.Path, "/register") {
		_ = json.NewDecoder(r.Body).Decode(&c.said) // what was not read is missed
	}
}

func TestAServiceIsRegisteredInItsNamespaceAndPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := new(clerk)
		client := newClient(t, &api.Config{Address: "agent", HttpClient: consultest.InMemory(c)})
		r, err := consul.Register(t.Context(), client, consul.Service{Name: "reviews", ID: "i", Port: 80, Namespace: "books", Partition: "eu"})
		must(t, err)
		r.Report(nil)
		synctest.Wait()
		must(t, r.Close())
		if c.said.Namespace != "books" || c.said.Partition != "eu" {
			t.Errorf("registered as %+v", c.said)
		}
		for _, call := range c.calls[1:] {
			if !strings.Contains(call, "ns=books") || !strings.Contains(call, "partition=eu") {
				t.Errorf("called %q", call)
			}
		}
		if len(c.calls) != 5 { // in, two beats, out of rotation, out
			t.Errorf("called %q", c.calls)
		}
	})
}
