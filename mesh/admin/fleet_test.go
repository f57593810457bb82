package admin_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
)

// A process is a service with a mesh, a port and pages, on this machine.
type process struct {
	mesh  *mesh.Mesh
	pages *httptest.Server
}

// byPort gets to pages on this machine, whatever address an instance has in memory.
func byPort() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, _ := net.SplitHostPort(address)
				return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// start starts an instance of a service that calls another for each request.
func start(t *testing.T, f *meshtest.Fleet, service, calls string) *process {
	t.Helper()
	p := &process{}
	p.pages = httptest.NewUnstartedServer(nil)
	_, port, _ := net.SplitHostPort(p.pages.Listener.Addr().String())
	labels := meshtest.Labels{"app": service, "version": "v1"}
	p.mesh = f.Mesh(mesh.Config{Workload: mesh.Workload{Service: service, Labels: labels}, Identity: f.Identity(service)})
	p.pages.Config.Handler = admin.New(p.mesh, admin.Config{Fleet: admin.Fleet{Client: byPort(), Timeout: patience}})
	p.pages.Start()
	t.Cleanup(p.pages.Close)
	client := &http.Client{Transport: p.mesh.Transport(f.Base())}
	h := p.mesh.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if calls != "" {
			visit(t, client, r.Context(), "http://"+calls+"/")
		}
	}))
	f.StartEndpoint(service, h, discovery.Endpoint{Labels: meshtest.Labels{"app": service, "version": "v1", admin.PortLabel: port}})
	return p
}

func visit(t *testing.T, client *http.Client, ctx context.Context, url string) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return
	}
	_ = resp.Body.Close()
}

// TestFleetIsOneGraph: from one process' pages all edges can be seen, those too
// between services of which it knows nothing, and who is not there is named.
func TestFleetIsOneGraph(t *testing.T) {
	f := meshtest.New(t)
	start(t, f, "ratings", "")
	start(t, f, "reviews", "ratings")
	front := start(t, f, "productpage", "reviews")
	dead := start(t, f, "reviews", "ratings")
	dead.pages.Close()
	f.StartEndpoint("reviews", answering(200), discovery.Endpoint{Labels: meshtest.Labels{"version": "v2"}}) // has no pages
	client := &http.Client{Transport: front.mesh.Transport(f.Base())}
	for range 20 {
		visit(t, client, t.Context(), "http://reviews/")
	}
	s := &scene{Fleet: f, t: t, mesh: front.mesh, pages: front.pages.Config.Handler}
	var got admin.Topology
	s.until("all have told", func() bool {
		got = admin.Topology{}
		s.read("/api/topology?fleet=1&window=60s", &got)
		return has(got, "default/reviews@v1", "default/ratings@v1")
	})
	if !has(got, "default/productpage@v1", "default/reviews@v1") || got.Instance.Service != "productpage" {
		t.Errorf("%+v", got)
	}
	var lines []string
	for _, i := range got.Instances {
		line := i.Service
		if i.Instance == nil {
			line += " is dead"
			if i.Error == "" || i.Endpoint == "" {
				t.Errorf("%+v", i)
			}
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	if all := strings.Join(lines, ", "); all != "productpage.default, ratings.default, reviews.default, reviews.default is dead" {
		t.Error(all)
	}
	var alone admin.Topology
	if s.read("/api/topology", &alone); has(alone, "default/reviews@v1", "default/ratings@v1") || alone.Instances != nil {
		t.Errorf("without being asked for: %+v", alone)
	}
}

func has(t admin.Topology, source, target string) bool {
	for i := range t.Edges {
		if e := &t.Edges[i]; e.Source == source && e.Target == target && e.Requests > 0 {
			return true
		}
	}
	return false
}

// TestFleetBelievesNoGarbage: what is no topology is an instance in trouble.
func TestFleetBelievesNoGarbage(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"nothing":         func(http.ResponseWriter, *http.Request) {},
		"another":         func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"nodes": []}`)) },
		"a refusal":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) },
		"somewhere else":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"without an end":  endless,
		"another's pages": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
	} {
		f := meshtest.New(t)
		server := httptest.NewServer(h)
		_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
		f.StartEndpoint("reviews", answering(200), discovery.Endpoint{Labels: meshtest.Labels{admin.PortLabel: port}})
		m := f.Mesh(mesh.Config{})
		s := &scene{Fleet: f, t: t, mesh: m, pages: admin.New(m, admin.Config{Fleet: admin.Fleet{Services: []string{"reviews"}, Client: byPort(), Timeout: patience}})}
		var got admin.Topology
		s.read("/api/topology?fleet=1", &got)
		if len(got.Instances) != 1 || got.Instances[0].Error == "" || len(got.Edges) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
		server.Close()
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			return
		}
	}
}

func TestTopologyIsDrawn(t *testing.T) {
	s := under(t, "")
	s.Start("reviews", answering(200), meshtest.Labels{"version": "v1"})
	s.get("http://reviews/")
	for format, want := range map[string]string{"dot": "digraph mesh {", "mermaid": "flowchart LR"} {
		if w := s.page("/api/topology?format=" + format); w.Code != 200 || !strings.HasPrefix(w.Body.String(), want) {
			t.Errorf("%s: %d %s", format, w.Code, w.Body)
		}
	}
	for _, query := range []string{"format=png", "window=1h", "window=10", "window=0s"} {
		if w := s.page("/api/topology?" + query); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", query, w.Code)
		}
	}
}

// TestFleetIsFoundByItsPort: where nobody says otherwise, pages are at the
// endpoint's address, at one port and under one prefix for all, without a proxy.
func TestFleetIsFoundByItsPort(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	other := httptest.NewServer(http.StripPrefix("/mesh", under(t, "").pages))
	t.Cleanup(other.Close)
	address := netip.MustParseAddrPort(other.Listener.Addr().String())
	where, err := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": discovery.Addresses("127.0.0.1:9", "127.0.0.2:9")})
	if err != nil {
		t.Fatal(err)
	}
	f := meshtest.New(t)
	m := f.Mesh(mesh.Config{Discovery: where})
	s := &scene{Fleet: f, t: t, mesh: m, pages: admin.New(m, admin.Config{
		Fleet: admin.Fleet{Port: address.Port(), Prefix: "/mesh", Services: []string{"reviews.default", "nobody"}, Timeout: patience},
	})}
	var got admin.Topology
	s.read("/api/topology?fleet=1", &got)
	if len(got.Instances) != 2 {
		t.Fatalf("%+v", got)
	}
	here, there := got.Instances[0], got.Instances[1] // nobody serves pages at the second address
	if here.Instance == nil || here.Instance.Service != "productpage" || there.Instance != nil || !strings.Contains(there.Error, "refused") {
		t.Errorf("%+v", got.Instances)
	}
}
