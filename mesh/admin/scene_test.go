package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A scene is a mesh in memory, and its pages.
type scene struct {
	*meshtest.Fleet
	t      *testing.T
	mesh   *mesh.Mesh
	client *http.Client
	pages  http.Handler
	rules  *rules.Memory // of under
}

func newScene(t *testing.T, c mesh.Config) *scene {
	t.Helper()
	f := meshtest.New(t)
	m := f.Mesh(c)
	return &scene{Fleet: f, t: t, mesh: m, client: &http.Client{Transport: m.Transport(f.Base())}, pages: admin.New(m, admin.Config{})}
}

// under is a mesh of productpage under rules.
func under(t *testing.T, text string) *scene {
	t.Helper()
	source := rules.Static(text)
	s := newScene(t, mesh.Config{
		Workload: mesh.Workload{Service: "productpage", Labels: map[string]string{"app": "productpage", "version": "v1"}},
		Rules:    source,
	})
	s.rules = source
	return s
}

// get sends a request to a service, and reads the answer.
func (s *scene) get(url string) int {
	s.t.Helper()
	resp, err := s.client.Get(url)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// asked is a request for a page, from this machine.
func asked(path string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://localhost:15000"+path, nil)
	r.RemoteAddr = "127.0.0.1:40000"
	return r
}

func (s *scene) page(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.pages.ServeHTTP(w, asked(path))
	return w
}

// read decodes a page of JSON into v, which must know all that is in it.
func (s *scene) read(path string, v any) {
	s.t.Helper()
	w := s.page(path)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	dec := json.NewDecoder(w.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
}

// until waits for what somebody else brings about.
func (s *scene) until(what string, holds func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			s.t.Fatalf("it does not come to it: %s", what)
		}
	}
}
