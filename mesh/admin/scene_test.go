package admin_test

import (
	"encoding/json"
	"fmt"
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
	return sceneOf(t, meshtest.New(t), c)
}

func sceneOf(t *testing.T, f *meshtest.Fleet, c mesh.Config) *scene {
	t.Helper()
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

func (s *scene) recorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

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

// patience is how long anything may take, on a machine with much else to do.
const patience = time.Minute

// until waits for what somebody else brings about.
func (s *scene) until(what string, holds func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(patience)
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

// secured is a mesh of a service that proves who it is, or of nobody, and reviews
// v1 and v2, which say which version has answered and hold who calls to the rules.
func secured(t *testing.T, service, text string) *scene {
	t.Helper()
	c := mesh.Config{Workload: mesh.Workload{Service: "productpage"}, Rules: rules.Static(text)}
	f := meshtest.New(t)
	if service != "" {
		c.Identity = f.Identity(service)
	}
	s := sceneOf(t, f, c)
	for i, version := range []string{"v1", "v1", "v2"} {
		w := mesh.Workload{Service: "reviews", Labels: meshtest.Labels{"app": "reviews", "version": version, admin.PortLabel: fmt.Sprint(1 + i)}}
		f.StartMesh(mesh.Config{Workload: w, Rules: rules.Static(text)}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Version", version)
		}))
	}
	return s
}

// agrees sends a request so often that both versions have had it, and compares what
// became of it.
func (s *scene) agrees(method, url, user string, allowed map[string]bool) {
	s.t.Helper()
	answered := map[string]bool{}
	for range 60 {
		r, _ := http.NewRequest(method, url, nil)
		r.Header.Set("End-User", user)
		resp, err := s.client.Do(r)
		if err != nil {
			s.t.Fatal(err)
		}
		_ = resp.Body.Close()
		if version := resp.Header.Get("Version"); version != "" {
			answered[version] = true
		} else if resp.StatusCode != http.StatusForbidden {
			s.t.Fatalf("%s %s: %d", method, url, resp.StatusCode)
		}
	}
	for version, want := range allowed {
		if answered[version] != want {
			s.t.Errorf("%s %s by %s: %s answers: %v, want %v", method, url, user, version, answered[version], want)
		}
	}
}
