package admin_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
)

// TestDoor: who gets in, by where it stands, by which name it asks, and from
// which page.
func TestDoor(t *testing.T) {
	friend := func(r *http.Request) bool { return strings.HasPrefix(r.RemoteAddr, "10.0.0.7:") }
	m := meshtest.New(t).Mesh(mesh.Config{})
	closed := admin.New(m, admin.Config{})
	open := admin.New(m, admin.Config{Allow: friend, Hosts: []string{"mesh.example.com"}})
	const no, lost = http.StatusForbidden, http.StatusMisdirectedRequest
	for _, c := range []struct {
		name         string
		remote, host string
		header       map[string]string
		closed, open int
	}{
		{"this machine", "127.0.0.1:1", "localhost:15000", nil, 200, 200},
		{"this machine, IPv6", "[::1]:1", "[::1]:15000", nil, 200, 200},
		{"this machine, IPv4 in IPv6", "[::ffff:127.0.0.1]:1", "127.0.0.1", nil, 200, 200},
		{"this machine, all of its loopback network", "127.3.2.1:1", "127.3.2.1:80", nil, 200, 200},
		{"a name below localhost", "127.0.0.1:1", "mesh.localhost:80", nil, 200, 200},
		{"somebody", "10.0.0.8:1", "10.0.0.1:15000", nil, no, no},
		{"somebody who says that it is local", "10.0.0.8:1", "localhost", map[string]string{"X-Forwarded-For": "127.0.0.1"}, no, no},
		{"a friend", "10.0.0.7:1", "10.0.0.1:15000", nil, no, 200},
		{"no address", "", "localhost", nil, no, no},
		{"no address at all", "pipe", "localhost", nil, no, no},
		{"a proxy on this machine", "127.0.0.1:1", "localhost", map[string]string{"X-Forwarded-For": "10.0.0.8"}, no, no},
		{"a proxy that says little", "127.0.0.1:1", "localhost", map[string]string{"Via": "1.1 proxy"}, no, no},
		{"a proxy on this machine, standardised", "127.0.0.1:1", "localhost", map[string]string{"Forwarded": "for=127.0.0.1"}, no, no},
		{"a proxy that tells the protocol alone", "127.0.0.1:1", "localhost", map[string]string{"X-Forwarded-Proto": "https"}, no, no},
		{"a sidecar", "127.0.0.1:1", "localhost", map[string]string{"X-Forwarded-Client-Cert": "By=a"}, no, no},
		{"a gateway", "127.0.0.1:1", "localhost", map[string]string{"X-Envoy-External-Address": "10.0.0.8"}, no, no},
		{"a balancer", "127.0.0.1:1", "localhost", map[string]string{"True-Client-Ip": "10.0.0.8"}, no, no},
		{"a name that was pointed here", "127.0.0.1:1", "evil.example.com:15000", nil, lost, lost},
		{"a friend by a name that was pointed here", "10.0.0.7:1", "evil.example.com", nil, no, lost},
		{"a name that is ours", "127.0.0.1:1", "Mesh.Example.com:15000", nil, lost, 200},
		{"a name that only ends like ours", "127.0.0.1:1", "notlocalhost", nil, lost, lost},
		{"no name", "127.0.0.1:1", "", nil, lost, lost},
		{"the page itself", "127.0.0.1:1", "localhost:15000", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:15000"}, 200, 200},
		{"the address bar", "127.0.0.1:1", "localhost:15000", map[string]string{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200, 200},
		{"a script of another site", "127.0.0.1:1", "localhost:15000", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, no, no},
		{"a script of another port", "127.0.0.1:1", "localhost:15000", map[string]string{"Sec-Fetch-Site": "same-site"}, no, no},
		{"a link to data", "127.0.0.1:1", "localhost:15000", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, no, no},
		{"another origin, by an old browser", "127.0.0.1:1", "localhost:15000", map[string]string{"Origin": "http://localhost:8080"}, no, no},
		{"no origin in particular", "127.0.0.1:1", "localhost:15000", map[string]string{"Origin": "null"}, no, no},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://x/api/version", nil)
		r.RemoteAddr, r.Host = c.remote, c.host
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		if got := ask(closed, r); got.Code != c.closed {
			t.Errorf("%s: %d %s, want %d", c.name, got.Code, got.Body, c.closed)
		}
		if got := ask(open, r); got.Code != c.open {
			t.Errorf("%s, where friends may look: %d %s, want %d", c.name, got.Code, got.Body, c.open)
		}
	}
}

func ask(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestUnixSocketIsThisMachine(t *testing.T) {
	s := under(t, "")
	r := asked("/api/version")
	r.RemoteAddr = "@"
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "/run/mesh.sock", Net: "unix"}))
	if got := ask(s.pages, r); got.Code != http.StatusOK {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestAllIsReadOnly(t *testing.T) {
	s := under(t, "")
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"} {
		r := asked("/api/rules")
		r.Method = method
		if got := ask(s.pages, r); got.Code != http.StatusMethodNotAllowed || got.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d", method, got.Code)
		}
	}
}

// TestNothingComesFromElsewhere: every answer, a refusal too, says so to browsers.
func TestNothingComesFromElsewhere(t *testing.T) {
	s := under(t, "")
	refused := asked("/")
	refused.RemoteAddr = "10.0.0.1:1"
	for _, r := range []*http.Request{asked("/"), asked("/api/rules"), asked("/nothing"), refused} {
		h := ask(s.pages, r).Header()
		policy := h.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
			t.Errorf("%s: %q", r.URL, policy)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", r.URL, h)
		}
	}
}

func TestALinkMayLeadToAPage(t *testing.T) {
	r := asked("/")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if got := ask(under(t, "").pages, r); got.Code != http.StatusOK {
		t.Errorf("%d", got.Code)
	}
}

func TestPagesAreKeptAndAskedFor(t *testing.T) {
	s := under(t, "")
	first := s.page("/")
	if first.Code != 200 || first.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", first.Code, first.Header())
	}
	again := asked("/")
	again.Header.Set("If-None-Match", first.Header().Get("ETag"))
	if got := ask(s.pages, again); got.Code != http.StatusNotModified || got.Body.Len() > 0 {
		t.Errorf("%d", got.Code)
	}
	for _, path := range []string{"/../admin.go", "/pages/index.html", "/api/nothing", "/api/"} {
		if got := s.page(path); got.Code == http.StatusOK {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
}
