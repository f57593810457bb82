package mesh_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
)

// An actor is an instance that does as the test says, and remembers what it was
// asked.
type actor struct {
	*meshtest.Instance
	name string

	mu    sync.Mutex // guards what follows
	part  part
	asked []question
}

// A part is what an actor plays: the request's number counts from 1.
type part func(w http.ResponseWriter, r *http.Request, number int)

// A question is a request as it arrived.
type question struct {
	*http.Request
	body string
	at   time.Time
}

// start adds an instance that answers 200 with its name.
func (s *scene) start(service, name string, labels ...string) *actor {
	s.Helper()
	e := discovery.Endpoint{Labels: meshtest.Labels{}}
	for i := 0; i < len(labels); i += 2 {
		e.Labels[labels[i]] = labels[i+1]
	}
	return s.startEndpoint(service, name, e)
}

func (s *scene) startEndpoint(service, name string, e discovery.Endpoint) *actor {
	s.Helper()
	a := &actor{name: name}
	a.plays(a.says(http.StatusOK))
	a.Instance = s.fleet.StartEndpoint(service, a, e)
	s.names[a.Address()] = name
	return a
}

// stage answers for the actors, with their names and without a wire: for tests
// that count many requests.
type stage map[string]string

// RoundTrip implements http.RoundTripper.
func (names stage) RoundTrip(r *http.Request) (*http.Response, error) {
	body := io.NopCloser(strings.NewReader(names[r.URL.Host]))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, Request: r}, nil
}

// unwired makes the client's requests end on the stage.
func (s *scene) unwired() { s.client.Transport = s.mesh.Transport(s.names) }

// ServeHTTP reads the whole request, then plays.
func (a *actor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller has gone, or broken off
	}
	part, number := a.hear(question{r, string(body), time.Now()})
	part(w, r, number)
}

func (a *actor) hear(q question) (part, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, q)
	return a.part, len(a.asked)
}

func (a *actor) plays(p part) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.part = p
}

// questions are the requests so far.
func (a *actor) questions() []question {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

func (a *actor) heard() int { return len(a.questions()) }

// says answers with a status and the actor's name.
func (a *actor) says(status int) part {
	return func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, a.name)
	}
}

// saysInTurn answers with one status after the other; the last one stays.
func (a *actor) saysInTurn(statuses ...int) part {
	first := a.heard()
	return func(w http.ResponseWriter, r *http.Request, number int) {
		a.says(statuses[min(number-first, len(statuses))-1])(w, r, number)
	}
}

// later is another part, after d, unless the caller leaves before.
func later(d time.Duration, p part) part {
	return func(w http.ResponseWriter, r *http.Request, number int) {
		select {
		case <-time.After(d):
			p(w, r, number)
		case <-r.Context().Done():
		}
	}
}

// hangsUp closes the connection instead of answering.
func hangsUp(w http.ResponseWriter, _ *http.Request, _ int) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func asError(err error, target **mesh.Error) bool { return err != nil && errors.As(err, target) }
