package mesh_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A scene is a fleet in paused time and a client whose mesh obeys rules.
type scene struct {
	*testing.T
	fleet   *meshtest.Fleet
	rules   *rules.Memory
	mesh    *mesh.Mesh
	client  *http.Client
	journal *journal
	cables  *cables
	names   stage
}

// play runs a scenario in a bubble of its own.
func play(t *testing.T, documents []string, run func(*scene)) {
	t.Helper()
	playWith(t, documents, func(*scene, *mesh.Config) {}, run)
}

// playWith is play with more to the Config than the rules.
func playWith(t *testing.T, documents []string, configure func(*scene, *mesh.Config), run func(*scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, fleet: meshtest.New(t), rules: rules.Static(documents...), journal: new(journal), names: stage{}}
		base := s.fleet.Base()
		s.cables = &cables{dial: base.DialContext}
		cfg := mesh.Config{Rules: s.rules, Observer: s.journal.observer(), DialContext: s.cables.dialContext}
		configure(s, &cfg)
		s.mesh = s.fleet.Mesh(cfg)
		s.client = &http.Client{Transport: s.mesh.Transport(base), CheckRedirect: stay}
		run(s)
	})
}

func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// pass lets time go by, and everything happen that is due by then.
func (s *scene) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// rule replaces the rules and waits until they are in force.
func (s *scene) rule(documents ...string) {
	s.Helper()
	if err := s.rules.Update(documents...); err != nil {
		s.Fatal(err)
	}
	synctest.Wait()
}

// An answer is what a caller got: a response, read to its end, or an error.
type answer struct {
	status int
	body   string
	header http.Header
	proto  string
	err    error
}

// String is the status, or the text of the mesh's reason for an error.
func (a answer) String() string {
	var refused *mesh.Error
	switch {
	case asError(a.err, &refused):
		return refused.Reason.Error()
	case a.err != nil:
		return a.err.Error()
	}
	return fmt.Sprint(a.status)
}

func (s *scene) do(r *http.Request) answer {
	resp, err := s.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(body), resp.Header, resp.Proto, err}
}

// request makes a request; fields are header names and values in turn.
func (s *scene) request(method, url, body string, fields ...string) *http.Request {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, url, strings.NewReader(body))
	if body == "" {
		r, err = http.NewRequestWithContext(s.Context(), method, url, nil)
	}
	if err != nil {
		s.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

func (s *scene) get(url string, fields ...string) answer {
	s.Helper()
	return s.do(s.request(http.MethodGet, url, "", fields...))
}

func (s *scene) post(url, body string, fields ...string) answer {
	s.Helper()
	return s.do(s.request(http.MethodPost, url, body, fields...))
}

// getWithin is get for a caller who waits no longer than d.
func (s *scene) getWithin(d time.Duration, url string) answer {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), d)
	defer cancel()
	return s.do(s.request(http.MethodGet, url, "").WithContext(ctx))
}

// cancelled is get for a caller who leaves after d.
func (s *scene) cancelled(d time.Duration, url string) answer {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	defer time.AfterFunc(d, cancel).Stop()
	return s.do(s.request(http.MethodGet, url, "").WithContext(ctx))
}

// begin sends a GET on the side; the channel has its answer.
func (s *scene) begin(url string, fields ...string) <-chan answer {
	s.Helper()
	done := make(chan answer, 1)
	r := s.request(http.MethodGet, url, "", fields...)
	go func() { done <- s.do(r) }()
	synctest.Wait()
	return done
}

// share sends n requests and counts the bodies of their answers.
func (s *scene) share(n int, url string) map[string]int {
	s.Helper()
	got := map[string]int{}
	for range n {
		a := s.get(url)
		if a.err != nil || a.status != http.StatusOK {
			s.Fatalf("got %v %v", a, a.err)
		}
		got[a.body]++
	}
	return got
}

// want compares an answer with a status, "200", or with the text of a reason.
func (s *scene) want(a answer, want string) {
	s.Helper()
	if got := a.String(); got != want {
		s.Errorf("got %s (%v), want %s", got, a.err, want)
	}
}

// refused compares an error with what it must say, to callers and to observers.
func (s *scene) refused(a answer, want string, status int, flags string) {
	s.Helper()
	var e *mesh.Error
	if !asError(a.err, &e) {
		s.Errorf("got %v %v, want a refusal: %s", a, a.err, want)
		return
	}
	if e.Reason.Error() != want || e.HTTPStatus() != status || e.Flags != flags {
		s.Errorf("got %v %d %s (%v), want %s %d %s", e.Reason, e.HTTPStatus(), e.Flags, e, want, status, flags)
	}
	if told := s.journal.last(); told.Flags != flags || told.Status != 0 || told.Err == nil && e.Err != nil {
		s.Errorf("the observer heard %+v, want flags %s and the error", told, flags)
	}
}

// endpoints sets what discovery says of a service.
func (s *scene) endpoints(service string, addresses ...string) {
	s.Helper()
	if err := s.fleet.Discovery().Set(service, discovery.Addresses(addresses...)); err != nil {
		s.Fatal(err)
	}
}

// took checks how long something took, to the nanosecond.
func (s *scene) took(since time.Time, want time.Duration) {
	s.Helper()
	if got := time.Since(since); got != want {
		s.Errorf("took %v, want %v", got, want)
	}
}

// cables count the connections of the mesh by address.
type cables struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu    sync.Mutex // guards what follows
	dials int        // that succeeded
	open  int
	raw   map[string]func(net.Conn) // servers of the test's own, by address
}

// serve makes an address lead to a server of the test's own.
func (c *cables) serve(address string, accept func(net.Conn)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.raw == nil {
		c.raw = map[string]func(net.Conn){}
	}
	c.raw[address] = accept
}

// connect makes a connection to the address, wherever that leads.
func (c *cables) connect(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	accept := c.raw[address]
	c.mu.Unlock()
	if accept == nil {
		return c.dial(ctx, network, address)
	}
	client, server := net.Pipe()
	go accept(server)
	return client, nil
}

func (c *cables) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dials++
	c.open++
	return &cable{Conn: conn, all: c}, nil
}

// counts returns how many connections were made, and how many of them stand.
func (c *cables) counts() (dials, open int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dials, c.open
}

type cable struct {
	net.Conn
	all  *cables
	once sync.Once
}

func (c *cable) Close() error {
	c.once.Do(func() {
		c.all.mu.Lock()
		defer c.all.mu.Unlock()
		c.all.open--
	})
	return c.Conn.Close()
}
