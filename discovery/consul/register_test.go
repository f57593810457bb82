package consul_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
)

var reviews = discovery.Service{Host: "reviews.default.svc.cluster.local", Name: "reviews", Namespace: "default", Port: 9080}

// A follower is a watch of a service in a goroutine of its own.
type follower struct {
	t    *testing.T
	sets chan []discovery.Endpoint
	errs chan error
}

func follow(t *testing.T, source discovery.Source, s discovery.Service) *follower {
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{t, make(chan []discovery.Endpoint, 1000), make(chan error, 1000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for endpoints, err := range source.Watch(ctx, s) {
			if err != nil {
				f.errs <- err
				continue
			}
			f.sets <- endpoints
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return f
}

// patience is how long real agents may take, on a machine with much else to do.
const patience = time.Minute

// await returns the first set that is as wanted, and how long that took.
func (f *follower) await(what string, want func([]discovery.Endpoint) bool) time.Duration {
	f.t.Helper()
	start, late := time.Now(), time.After(patience)
	var last []discovery.Endpoint
	for {
		select {
		case last = <-f.sets:
			if want(last) {
				return time.Since(start)
			}
		case <-late:
			f.t.Fatalf("waited for %s, and have %+v", what, last)
		}
	}
}

func (f *follower) awaitError(text string) {
	f.t.Helper()
	late := time.After(patience)
	for {
		select {
		case err := <-f.errs:
			if strings.Contains(err.Error(), text) {
				return
			}
		case <-late:
			f.t.Fatalf("waited for an error that says %q", text)
		}
	}
}

// healths are the endpoints' ports with their health.
func healths(want ...string) func([]discovery.Endpoint) bool {
	return func(endpoints []discovery.Endpoint) bool {
		var got []string
		for _, e := range endpoints {
			got = append(got, e.Address+" "+e.Health.String())
		}
		return slices.Equal(got, want)
	}
}

func register(t *testing.T, agent *consultest.Agent, s consul.Service) *consul.Registration {
	t.Helper()
	r, err := consul.Register(t.Context(), dial(t, agent), s)
	must(t, err)
	t.Cleanup(func() { _ = r.Close() }) // a test may have killed the agent
	return r
}

func TestARegistrationLivesFromRegisterToCloseThroughAllItsStates(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	source := consul.Discovery(dial(t, agent))
	f := follow(t, source, reviews)
	register(t, agent, consul.Service{Name: "reviews", Address: "127.0.0.1", Port: 1001, Drain: -1})
	r := register(t, agent, consul.Service{
		Name: "reviews", Address: "127.0.0.1", Port: 1002, Tags: []string{"v2"}, Meta: map[string]string{"team": "books"},
		Weight: 7, WarningWeight: 3, Drain: 10 * time.Second, Locality: discovery.Locality{Region: "eu", Zone: "a"},
	})
	f.await("both healthy", func(endpoints []discovery.Endpoint) bool {
		want := discovery.Endpoint{
			Address: "127.0.0.1:1002", Weight: 7, Locality: discovery.Locality{Region: "eu", Zone: "a"},
			Labels: map[string]string{"v2": "true", "version": "v2", "team": "books"},
		}
		return len(endpoints) == 2 && endpoints[1].Equal(want)
	})

	r.Report(errors.New("the disk is full"))
	sick := f.await("one critical", healths("127.0.0.1:1001 healthy", "127.0.0.1:1002 unhealthy"))
	r.Report(nil)
	well := f.await("it well again", healths("127.0.0.1:1001 healthy", "127.0.0.1:1002 healthy"))
	closed := make(chan error)
	go func() { closed <- r.Close() }()
	drained := f.await("it draining", healths("127.0.0.1:1001 healthy", "127.0.0.1:1002 draining"))
	must(t, <-closed)
	gone := f.await("it gone", healths("127.0.0.1:1001 healthy"))
	must(t, r.Close())
	t.Logf("seen after: critical %v, well %v, draining %v, deregistered %v", sick, well, drained, gone)
}

func TestAnAgentThatForgotTheServiceIsToldAgain(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	f := follow(t, consul.Discovery(dial(t, agent)), reviews)
	r := register(t, agent, consul.Service{Name: "reviews", Address: "127.0.0.1", Port: 1001, Drain: -1})
	f.await("the service", healths("127.0.0.1:1001 healthy"))

	must(t, dial(t, agent).Agent().ServiceDeregister("reviews-127.0.0.1:1001"))
	agent.Kill()
	f.awaitError("connection refused")
	agent.Forget()
	agent.Restart()
	f.await("the service again", healths("127.0.0.1:1001 healthy"))
	must(t, r.Close())
}

// An agent that is started again takes a service for critical of which it was told
// nothing since it was registered.
func TestAnAgentThatEndsRightAfterARegistrationHasTheServiceHealthyAgain(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	f := follow(t, consul.Discovery(dial(t, agent)), reviews)
	register(t, agent, consul.Service{
		Name: "reviews", Address: "127.0.0.1", Port: 1001, Drain: -1,
		Check: consul.Check{TTL: 2 * patience}, // longer than a restart takes
	})
	agent.Kill()
	agent.Restart()
	register(t, agent, consul.Service{Name: "reviews", Address: "127.0.0.1", Port: 1002, Drain: -1})
	both := healths("127.0.0.1:1001 healthy", "127.0.0.1:1002 healthy")
	f.await("both, and neither unhealthy before", func(endpoints []discovery.Endpoint) bool {
		for _, e := range endpoints {
			if e.Health != discovery.Healthy {
				t.Errorf("%s is %v", e.Address, e.Health)
			}
		}
		return both(endpoints)
	})
}

func TestAServiceWithAnHTTPCheckIsAskedByTheAgent(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	f := follow(t, consul.Discovery(dial(t, agent)), reviews)
	register(t, agent, consul.Service{Name: "reviews", Address: "127.0.0.1", Port: 1001, Drain: -1, Check: consul.Check{
		HTTP: "http://" + agent.Address() + "/v1/status/leader", Interval: 100 * time.Millisecond,
	}})
	f.await("the check to pass", healths("127.0.0.1:1001 healthy"))
}

func TestAServiceThatIsNoneIsRefusedWithAllReasons(t *testing.T) {
	_, err := consul.Register(t.Context(), nil, consul.Service{
		Port: 70000, Weight: -1, Check: consul.Check{HTTP: "http://a", GRPC: "a:1", TTL: time.Second},
	})
	for _, want := range []string{"Name: there is none", "Port: 70000: want 1 to 65535", "Weight", "HTTP and GRPC", "TTL: 1s: want 5s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}
