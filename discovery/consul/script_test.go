package consul_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
)

// A script is an agent in memory. It answers each path, with its datacenter if
// one is asked for, as it is told to; a query that waits, when that changes.
type script struct {
	mu      sync.Mutex
	answers map[string]scripted // by path, or path?dc
	index   uint64
	changed chan struct{}
	asked   []string // paths with queries, in turn, without what is about waiting
}

type scripted struct {
	status int // 0: 200
	header map[string]string
	body   any
}

func newScript() *script {
	return &script{answers: map[string]scripted{}, index: 10, changed: make(chan struct{})}
}

func (s *script) say(path string, a scripted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[path] = a
	s.index++
	close(s.changed)
	s.changed = make(chan struct{})
}

// client is one of the scripted agent.
func (s *script) client(t *testing.T) *api.Client {
	return newClient(t, &api.Config{Address: "agent", HttpClient: consultest.InMemory(s)})
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	a, index, changed := s.now(r.URL.Path, query)
	if wait, err := time.ParseDuration(query.Get("wait")); err == nil && query.Get("index") == index {
		select {
		case <-changed:
		case <-time.After(wait):
		case <-r.Context().Done():
			return
		}
		a, index, _ = s.now(r.URL.Path, query)
	}
	w.Header().Set("X-Consul-Index", index)
	w.Header().Set("X-Consul-LastContact", "0")
	w.Header().Set("X-Consul-KnownLeader", "true")
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_ = json.NewEncoder(w).Encode(a.body)
}

func (s *script) now(path string, query url.Values) (a scripted, index string, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	query = maps.Clone(query)
	for _, name := range []string{"index", "wait", "stale"} {
		query.Del(name)
	}
	if full := path + "?" + query.Encode(); !slices.Contains(s.asked, strings.TrimSuffix(full, "?")) {
		s.asked = append(s.asked, strings.TrimSuffix(full, "?"))
	}
	a, ok := s.answers[path+"?"+query.Get("dc")]
	if !ok {
		a = s.answers[path]
	}
	if a.body == nil && a.status == 0 {
		a.body = []int{}
	}
	data, _ := json.Marshal(s.index)
	return a, string(data), s.changed
}

const healthOfReviews = "/v1/health/service/reviews"

// instance is one as the agent tells it, with changes.
func instance(port int, changes ...func(*api.ServiceEntry)) *api.ServiceEntry {
	e := &api.ServiceEntry{
		Node:    &api.Node{Node: "n1", Address: "10.0.0.1", Datacenter: "dc1"},
		Service: &api.AgentService{ID: "i", Service: "reviews", Port: port, Weights: api.AgentWeights{Passing: 1, Warning: 1}},
	}
	for _, change := range changes {
		change(e)
	}
	return e
}

func instances(all ...*api.ServiceEntry) scripted { return scripted{body: all} }

// sequence is what a watch yields, one after the other.
type sequence struct {
	next func() ([]discovery.Endpoint, error, bool)
}

func (s sequence) set(t *testing.T) []discovery.Endpoint {
	t.Helper()
	endpoints, err, ok := s.next()
	if !ok || err != nil {
		t.Fatalf("got %v, want endpoints", err)
	}
	return endpoints
}

func (s sequence) err(t *testing.T, texts ...string) error {
	t.Helper()
	endpoints, err, ok := s.next()
	if !ok || err == nil {
		t.Fatalf("got %v, want an error that says %q", endpoints, texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want it to say %q", err, text)
		}
	}
	return err
}

// watch pulls from a source. In a bubble of synctest, time passes while it waits.
func watch(t *testing.T, source discovery.Source, s discovery.Service) sequence {
	ctx, cancel := context.WithCancel(t.Context())
	type news struct {
		endpoints []discovery.Endpoint
		err       error
	}
	told := make(chan news)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for endpoints, err := range source.Watch(ctx, s) {
			select {
			case told <- news{endpoints, err}:
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return sequence{func() ([]discovery.Endpoint, error, bool) {
		select {
		case n := <-told:
			return n.endpoints, n.err, true
		case <-ended:
			return nil, nil, false
		}
	}}
}

func newSource(t *testing.T, s *script, c consul.Config) *consul.Source {
	t.Helper()
	source, err := consul.NewSource(s.client(t), c)
	must(t, err)
	return source
}
