package consul_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/consul"
)

func checks(statuses ...string) func(*api.ServiceEntry) {
	return func(e *api.ServiceEntry) {
		for i, status := range statuses {
			c := &api.HealthCheck{CheckID: fmt.Sprint("c", i), Status: status}
			if strings.HasPrefix(status, "_") {
				c.CheckID, c.Status = status, api.HealthCritical
			}
			e.Checks = append(e.Checks, c)
		}
	}
}

func tags(tags ...string) func(*api.ServiceEntry) {
	return func(e *api.ServiceEntry) { e.Service.Tags = tags }
}

func meta(name, value string) func(*api.ServiceEntry) {
	return func(e *api.ServiceEntry) { e.Service.Meta = map[string]string{name: value} }
}

func weights(passing, warning int) func(*api.ServiceEntry) {
	return func(e *api.ServiceEntry) { e.Service.Weights = api.AgentWeights{Passing: passing, Warning: warning} }
}

func address(node, service string) func(*api.ServiceEntry) {
	return func(e *api.ServiceEntry) { e.Node.Address, e.Service.Address = node, service }
}

func at(node, service *api.Locality) func(*api.ServiceEntry) {
	return func(e *api.ServiceEntry) { e.Node.Locality, e.Service.Locality = node, service }
}

func TestInstancesBecomeEndpoints(t *testing.T) {
	dc1 := discovery.Locality{Region: "dc1"}
	plain := func(change func(*discovery.Endpoint)) discovery.Endpoint {
		e := discovery.Endpoint{Address: "10.0.0.1:80", Weight: 1, Locality: dc1}
		change(&e)
		return e
	}
	health := func(h discovery.Health, weight uint32) discovery.Endpoint {
		return plain(func(e *discovery.Endpoint) { e.Health, e.Weight = h, weight })
	}
	labels := func(pairs ...string) discovery.Endpoint {
		return plain(func(e *discovery.Endpoint) {
			e.Labels = map[string]string{}
			for i := 0; i < len(pairs); i += 2 {
				e.Labels[pairs[i]] = pairs[i+1]
			}
		})
	}
	in := func(address string) discovery.Endpoint {
		return plain(func(e *discovery.Endpoint) { e.Address = address })
	}
	from := func(l discovery.Locality) discovery.Endpoint {
		return plain(func(e *discovery.Endpoint) { e.Locality = l })
	}
	for name, c := range map[string]struct {
		entry *api.ServiceEntry
		want  discovery.Endpoint
	}{
		"no checks":                          {instance(80), health(discovery.Healthy, 1)},
		"passing":                            {instance(80, checks("passing", "passing"), weights(10, 2)), health(discovery.Healthy, 10)},
		"warning":                            {instance(80, checks("passing", "warning"), weights(10, 2)), health(discovery.Healthy, 2)},
		"warning, to get nothing then":       {instance(80, checks("warning"), weights(10, 0)), health(discovery.Unhealthy, 10)},
		"critical":                           {instance(80, checks("passing", "critical", "warning"), weights(10, 2)), health(discovery.Unhealthy, 10)},
		"the service in maintenance":         {instance(80, checks("passing", "_service_maintenance:i")), health(discovery.Draining, 1)},
		"the node in maintenance":            {instance(80, checks("critical", "_node_maintenance")), health(discovery.Draining, 1)},
		"a check of no known status":         {instance(80, checks("unheard-of")), health(discovery.Unhealthy, 1)},
		"no weights":                         {instance(80, weights(0, 0)), health(discovery.Healthy, 1)},
		"meta":                               {instance(80, meta("version", "v1")), labels("version", "v1")},
		"a tag that is a label":              {instance(80, tags("version=v1", "a=b=c")), labels("version", "v1", "a", "b=c")},
		"a tag that looks like a version":    {instance(80, tags("primary", "v2.1")), labels("primary", "true", "v2.1", "true", "version", "v2.1")},
		"two tags that do":                   {instance(80, tags("v1", "v2")), labels("v1", "true", "v2", "true")},
		"meta before tags":                   {instance(80, tags("v1", "version=v2"), meta("version", "v3")), labels("v1", "true", "version", "v3")},
		"a tag without a name":               {instance(80, tags("=x", "")), labels()},
		"the service's address":              {instance(80, address("10.0.0.1", "10.0.0.9")), in("10.0.0.9:80")},
		"an IPv6 address in a long form":     {instance(80, address("10.0.0.1", "0:0::1")), in("[::1]:80")},
		"a host name":                        {instance(80, address("10.0.0.1", "Web.Example.")), in("web.example:80")},
		"a socket":                           {instance(0, func(e *api.ServiceEntry) { e.Service.SocketPath = "/run/a.sock" }), in("unix:///run/a.sock")},
		"no port: the one that is asked for": {instance(0), in("10.0.0.1:9080")},
		"the node's locality":                {instance(80, at(&api.Locality{Region: "eu", Zone: "a"}, nil)), from(discovery.Locality{Region: "eu", Zone: "a"})},
		"the service's locality":             {instance(80, at(&api.Locality{Region: "eu"}, &api.Locality{Region: "us", Zone: "b"})), from(discovery.Locality{Region: "us", Zone: "b"})},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				s.say(healthOfReviews, instances(c.entry))
				got := watch(t, newSource(t, s, consul.Config{}), reviews).set(t)
				if len(got) != 1 || !got[0].Equal(c.want) {
					t.Errorf("got  %+v\nwant %+v", got, c.want)
				}
			})
		})
	}
}

func TestHostsAreLookedUpAsConsulsDNSDoes(t *testing.T) {
	local := func(host string) discovery.Service { return discovery.Service{Host: host, Name: host} }
	for host, c := range map[discovery.Service][]string{
		reviews:                                {healthOfReviews},
		local("reviews"):                       {healthOfReviews},
		local("reviews.service.consul"):        {healthOfReviews},
		local("v2.reviews.service.consul"):     {healthOfReviews + "?tag=v2"},
		local("a.b.reviews.service.consul"):    {healthOfReviews + "?tag=a.b"},
		local("reviews.service.dc2.consul"):    {healthOfReviews + "?dc=dc2"},
		local("reviews.service.dc2.dc.consul"): {healthOfReviews + "?dc=dc2"},
		local("geo.reviews.query.consul"):      {"/v1/query/geo.reviews/execute"},
		local("query.service.dc2.consul"):      {"/v1/health/service/query?dc=dc2"},
		local("service.query.service.consul"):  {"/v1/health/service/query?tag=service"},
		local("api.example.com"):               {"/v1/health/service/api.example.com"},
		local("reviews.service.a.b.c.consul"):  nil,
		local("service.consul"):                nil,
		local("reviews.node.consul"):           nil,
	} {
		t.Run(host.Host, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				s.say("/v1/query/geo.reviews/execute", scripted{body: api.PreparedQueryExecuteResponse{}})
				err := watch(t, newSource(t, s, consul.Config{}), host).err(t)
				if c == nil && !strings.Contains(err.Error(), "want [tag.]name.service[.datacenter]") || !errors.Is(err, discovery.ErrUnknown) {
					t.Errorf("got %v", err)
				}
				if !slices.Equal(s.asked, c) {
					t.Errorf("asked for %q, want %q", s.asked, c)
				}
			})
		})
	}
}

func TestAnEmptyAnswerIsBelievedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(healthOfReviews, instances(instance(80)))
		w := watch(t, newSource(t, s, consul.Config{}), reviews)
		w.set(t)
		s.say(healthOfReviews, instances())
		start := time.Now()
		w.err(t, "keeping the last 1 for 30s")
		if err := w.err(t); !errors.Is(err, discovery.ErrUnknown) || time.Since(start) != 30*time.Second {
			t.Errorf("got %v after %v, want ErrUnknown after 30 s", err, time.Since(start))
		}
	})
}

// While a cluster starts, the answer that there is nobody comes again and again, for
// it changes with everything. Who appears then is known in half a second.
func TestAServiceThatAppearsAmidOthersIsFollowedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		w := watch(t, newSource(t, s, consul.Config{}), reviews)
		w.err(t)
		for n := range 300 {
			s.say(fmt.Sprint("/v1/health/service/s", n), instances(instance(80)))
			time.Sleep(10 * time.Millisecond)
		}
		s.say(healthOfReviews, instances(instance(80)))
		start := time.Now()
		w.set(t)
		if took := time.Since(start); took > 500*time.Millisecond {
			t.Errorf("followed after %v", took)
		}
	})
}

func TestAnAnswerWithoutPermissionIsTroubleAndNotEmptiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(healthOfReviews, instances(instance(80)))
		source := newSource(t, s, consul.Config{Hold: -1})
		w := watch(t, source, reviews)
		w.set(t)
		s.say(healthOfReviews, scripted{header: map[string]string{"X-Consul-Results-Filtered-By-ACLs": "true"}})
		w.err(t, `service "reviews": the token may not read all of it`)
		time.Sleep(2 * time.Minute)
		status := source.Status()[0]
		if status.Endpoints != 1 || status.Err == nil || status.Age(time.Now()) < 2*time.Minute {
			t.Errorf("the status is %+v", status)
		}
		s.say(healthOfReviews, instances(instance(80), instance(81)))
		for {
			if endpoints, err, _ := w.next(); err == nil && len(endpoints) == 2 {
				return
			}
		}
	})
}

// An agent that streams, and is cut off from the datacenter that it is asked about,
// answers with nothing, and with the index of nothing: that it has none yet.
func TestAnAnswerThatKnowsNothingIsTroubleAndNotEmptiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(healthOfReviews, instances(instance(80)))
		w := watch(t, newSource(t, s, consul.Config{}), reviews)
		w.set(t)
		s.say(healthOfReviews, scripted{body: []*api.ServiceEntry{}, header: map[string]string{"X-Consul-Index": "1", "X-Consul-KnownLeader": "false"}})
		w.err(t, "knows nothing of it yet")
		time.Sleep(2 * time.Minute)
		s.say(healthOfReviews, instances(instance(80), instance(81)))
		for {
			endpoints, err, _ := w.next()
			if err == nil && len(endpoints) == 2 {
				return
			}
			if err == nil || errors.Is(err, discovery.ErrUnknown) {
				t.Fatalf("got %+v, %v", endpoints, err)
			}
		}
	})
}

func TestTroubleTellsTheAgeOfWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(healthOfReviews, scripted{body: []*api.ServiceEntry{instance(80)}, header: map[string]string{"X-Consul-LastContact": "4000"}})
		w := watch(t, newSource(t, s, consul.Config{}), reviews)
		w.set(t)
		time.Sleep(8 * time.Second)
		s.say(healthOfReviews, scripted{status: 500, body: "No cluster leader"})
		w.err(t, "No cluster leader", "what is known is 12s old")
	})
}

func TestInstancesThatAreNoEndpointsAreLeftOutAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(healthOfReviews, instances(instance(80), instance(70000), instance(81, address("", "not a host"))))
		w := watch(t, newSource(t, s, consul.Config{}), reviews)
		if got := w.set(t); len(got) != 1 {
			t.Errorf("got %v", got)
		}
		w.err(t, "left out", "instance i on node n1", `"70000"`, `"not a host"`)
		s.say(healthOfReviews, instances(instance(80), instance(82)))
		w.set(t)
		s.say(healthOfReviews, instances(instance(80), instance(70000), instance(81, address("", "not a host"))))
		w.set(t)
		w.err(t, "left out")
	})
}

func TestAServiceOfWhichAllInstancesAreLeftOutIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(healthOfReviews, instances(instance(70000)))
		w := watch(t, newSource(t, s, consul.Config{}), reviews)
		if got := w.set(t); len(got) != 0 {
			t.Errorf("got %v", got)
		}
		w.err(t, "left out")
	})
}

func TestOfTwoRegistrationsOfAnAddressTheHealthyOneCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(healthOfReviews, instances(instance(80, checks("critical")), instance(80), instance(80, checks("critical"))))
		if got := watch(t, newSource(t, s, consul.Config{}), reviews).set(t); len(got) != 1 || got[0].Health != discovery.Healthy {
			t.Errorf("got %+v", got)
		}
	})
}

func TestPlacesAreOneSetOfEndpointsByTheirDatacenters(t *testing.T) {
	in := func(dc string) func(*api.ServiceEntry) {
		return func(e *api.ServiceEntry) { e.Node.Datacenter, e.Node.Address = dc, "10.0.0."+dc[2:] }
	}
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(healthOfReviews, instances(instance(80, in("dc1"))))
		s.say(healthOfReviews+"?dc2", scripted{status: 500, body: "No path to datacenter"})
		source := newSource(t, s, consul.Config{Places: []consul.Place{{}, {Datacenter: "dc2"}}})
		w := watch(t, source, reviews)
		var got []discovery.Endpoint
		var trouble error
		for got == nil || trouble == nil { // they come in any order
			endpoints, err, _ := w.next()
			if err != nil {
				trouble = err
				continue
			}
			got = endpoints
		}
		if len(got) != 1 || got[0].Locality.Region != "dc1" || !strings.Contains(trouble.Error(), "in datacenter dc2: ") {
			t.Errorf("while the other is cut off: %+v, %v", got, trouble)
		}
		s.say(healthOfReviews+"?dc2", instances(instance(80, in("dc2"))))
		for len(got) != 2 {
			got, _, _ = w.next()
		}
		if got[0].Locality.Region != "dc1" || got[1].Locality.Region != "dc2" {
			t.Errorf("got %+v", got)
		}
		s.say(healthOfReviews, instances())
		if got = w.set(t); len(got) != 1 || got[0].Locality.Region != "dc2" {
			t.Errorf("after home is empty: %+v", got)
		}
	})
}

// Of a place that was never heard nobody knows whether it has the service; that
// home has it no more is known.
func TestEndpointsGoFromHomeWhileAnotherPlaceWasNeverHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(healthOfReviews, instances(instance(80)))
		s.say(healthOfReviews+"?dc2", scripted{status: 500, body: "No path to datacenter"})
		w := watch(t, newSource(t, s, consul.Config{Places: []consul.Place{{}, {Datacenter: "dc2"}}}), reviews)
		await := func(want func([]discovery.Endpoint, error) bool) {
			t.Helper()
			for start := time.Now(); ; {
				endpoints, err, _ := w.next()
				if want(endpoints, err) {
					return
				}
				if time.Since(start) > time.Hour {
					t.Fatalf("after an hour: %+v, %v", endpoints, err)
				}
			}
		}
		await(func(endpoints []discovery.Endpoint, err error) bool { return len(endpoints) == 1 })
		s.say(healthOfReviews, instances())
		await(func(endpoints []discovery.Endpoint, err error) bool { return len(endpoints) == 0 && err == nil })
		s.say(healthOfReviews+"?dc2", instances())
		await(func(_ []discovery.Endpoint, err error) bool { return errors.Is(err, discovery.ErrUnknown) })
	})
}

func TestConnectAsksForInstancesWithAnIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say("/v1/agent/connect/ca/roots", scripted{body: api.CARootList{TrustDomain: "1-2.consul"}})
		s.say("/v1/health/connect/reviews", instances(instance(80), instance(81, func(e *api.ServiceEntry) {
			e.Service.Kind, e.Service.Service = api.ServiceKindConnectProxy, "reviews-sidecar-proxy"
			e.Service.Proxy = &api.AgentServiceConnectProxyConfig{DestinationServiceName: "reviews"}
		})))
		got := watch(t, newSource(t, s, consul.Config{Connect: true}), reviews).set(t)
		for _, e := range got {
			if e.Identity != "spiffe://1-2.consul/ns/default/dc/dc1/svc/reviews" {
				t.Errorf("the identity is %q", e.Identity)
			}
		}
		if len(got) != 2 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestAPreparedQueryIsExecutedAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const path = "/v1/query/geo/execute"
		s := newScript()
		s.say(path, scripted{status: 404, body: "Query not found"})
		w := watch(t, newSource(t, s, consul.Config{}), discovery.Service{Host: "geo.query.consul", Name: "geo.query.consul"})
		if err := w.err(t); !errors.Is(err, discovery.ErrUnknown) {
			t.Errorf("got %v, want ErrUnknown", err)
		}
		s.say(path, scripted{body: api.PreparedQueryExecuteResponse{Nodes: []api.ServiceEntry{*instance(80)}}})
		start := time.Now()
		w.set(t)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("seen after %v", took)
		}
	})
}

func TestAConfigOutOfBoundsIsRefusedWithAllReasons(t *testing.T) {
	_, err := consul.NewSource(nil, consul.Config{Wait: time.Hour, Interval: -1, Connect: true, Places: []consul.Place{{}, {}, {Peer: "b"}}})
	for _, want := range []string{"Wait: 1h0m0s: want 0 to 10m0s", "Interval: -1ns", "Places[1]: the same as Places[0]", "Places[2]: Connect, and peer b"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}

func TestWatchersOfAServiceShareOneQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(healthOfReviews, instances(instance(80)))
		source := newSource(t, s, consul.Config{})
		for range 5 {
			watch(t, source, reviews).set(t)
		}
		if got := source.Status(); len(got) != 1 || !reflect.DeepEqual(got[0].Host, reviews.Host) {
			t.Errorf("the watches are %+v", got)
		}
	})
}
