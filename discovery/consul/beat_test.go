package consul_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
)

// A registrar is an agent in memory that takes registrations.
type registrar struct {
	mu    sync.Mutex
	known bool
	down  bool
	deaf  bool     // to beats
	calls []string // method and path, with the status of a beat
	taken string   // what was registered last
}

func (a *registrar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/agent/")
	a.calls = append(a.calls, path)
	switch {
	case a.down, a.deaf && strings.HasPrefix(path, "check/"):
		w.WriteHeader(http.StatusInternalServerError)
	case path == "service/register":
		text, _ := io.ReadAll(r.Body)
		a.known, a.taken = true, string(text)
	case !a.known:
		w.WriteHeader(http.StatusNotFound)
	case strings.HasPrefix(path, "service/deregister"):
		a.known = false
	}
}

func (a *registrar) set(known, down bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known, a.down = known, down
}

func (a *registrar) body() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.taken
}

// since are the calls since the last time.
func (a *registrar) since() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls
	a.calls = nil
	return calls
}

const (
	beat  = "check/update/service:i"
	enter = "service/register"
)

func begin(t *testing.T) (*registrar, *consul.Registration) {
	t.Helper()
	a := new(registrar)
	client := newClient(t, &api.Config{Address: "agent", HttpClient: consultest.InMemory(a)})
	r, err := consul.Register(t.Context(), client, consul.Service{Name: "reviews", ID: "i", Port: 80})
	must(t, err)
	if calls := a.since(); !slices.Equal(calls, []string{enter, beat}) {
		t.Errorf("called %q", calls)
	}
	return a, r
}

func TestTheAgentIsToldEveryTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, r := begin(t)
		time.Sleep(20*time.Second + time.Millisecond)
		if calls := a.since(); !slices.Equal(calls, slices.Repeat([]string{beat}, 10)) {
			t.Errorf("called %q in 20 s", calls)
		}
		r.Report(errors.New("full"))
		synctest.Wait()
		if calls := a.since(); !slices.Equal(calls, []string{beat}) {
			t.Errorf("called %q at once", calls)
		}
		must(t, r.Close())
	})
}

func TestAnAgentThatForgotIsToldAtTheNextBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, r := begin(t)
		a.set(false, false)
		time.Sleep(4*time.Second + time.Millisecond)
		if calls := a.since(); !slices.Equal(calls, []string{beat, enter, beat, beat}) {
			t.Errorf("called %q", calls)
		}
		must(t, r.Close())
	})
}

func TestAnAgentThatIsDownIsTriedAgainSoonerThanItWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, r := begin(t)
		a.set(false, true)
		time.Sleep(60 * time.Second)
		if n := len(a.since()); n < 31 || n > 120 {
			t.Errorf("%d tries in a minute, want one each second or so", n)
		}
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), "registration of reviews") {
			t.Errorf("the trouble is %v", err)
		}
		a.set(false, false)
		time.Sleep(5 * time.Second)
		if err := r.Err(); err != nil || !slices.Contains(a.since(), enter) {
			t.Errorf("it is not registered again: %v", err)
		}
		must(t, r.Close())
	})
}

func TestCloseDrainsAndThenDeregisters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, r := begin(t)
		start := time.Now()
		must(t, r.Close())
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("it took %v, want the 5 s of draining", took)
		}
		if calls := a.since(); !slices.Equal(calls, []string{"service/maintenance/i", "service/deregister/i"}) {
			t.Errorf("called %q", calls)
		}
	})
}

func TestAnAgentThatDoesNotTakeTheServiceIsAnError(t *testing.T) {
	client := newClient(t, &api.Config{Address: "agent", HttpClient: consultest.InMemory(&registrar{down: true})})
	if _, err := consul.Register(context.Background(), client, consul.Service{Name: "reviews", Port: 80}); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("got %v", err)
	}
}

func TestARegistrationThatFailsHalfwayLeavesNothingBehind(t *testing.T) {
	a := &registrar{deaf: true}
	client := newClient(t, &api.Config{Address: "agent", HttpClient: consultest.InMemory(a)})
	_, err := consul.Register(t.Context(), client, consul.Service{Name: "reviews", ID: "i", Port: 80})
	if err == nil || !strings.Contains(err.Error(), "register reviews: ") {
		t.Errorf("got %v", err)
	}
	if calls := a.since(); !slices.Equal(calls, []string{enter, beat, "service/deregister/i"}) {
		t.Errorf("called %q", calls)
	}
}

// What the caller does with his Service afterwards is not what an agent is told that
// has forgotten it.
func TestARegistrationKeepsAServiceOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := new(registrar)
		client := newClient(t, &api.Config{Address: "agent", HttpClient: consultest.InMemory(a)})
		s := consul.Service{Name: "reviews", ID: "i", Port: 80, Tags: []string{"v1"}, Meta: map[string]string{"team": "books"}}
		r, err := consul.Register(t.Context(), client, s)
		must(t, err)
		s.Tags[0], s.Meta["team"] = "v2", "films"
		a.set(false, false)
		time.Sleep(3 * time.Second)
		if body := a.body(); !strings.Contains(body, `"v1"`) || !strings.Contains(body, `"books"`) {
			t.Errorf("registered %s", body)
		}
		must(t, r.Close())
	})
}
