package admin_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A machine is an instance whose callers are never on its machine, by what its
// handler can tell, and whose pages take mutual TLS.
type machine struct {
	mesh    *mesh.Mesh
	pages   http.Handler
	address string
}

// startMachine lets in allowed, and asks others as the service that it is.
func startMachine(t *testing.T, f *meshtest.Fleet, service string, allowed ...tlsid.ID) *machine {
	t.Helper()
	m := f.Mesh(mesh.Config{
		Workload: mesh.Workload{Service: service}, Identity: f.Identity(service), DialContext: new(net.Dialer).DialContext,
	})
	lis, err := m.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pages := admin.New(m, admin.Config{
		Allow: admin.AllowPeers(allowed...),
		Fleet: admin.Fleet{Scheme: "https", Prefix: "/mesh", Client: proving(t, f, service), Timeout: patience},
	})
	calls := &http.Transport{}
	t.Cleanup(calls.CloseIdleConnections)
	client := &http.Client{Transport: m.Transport(calls)}
	mounted := http.NewServeMux()
	mounted.HandleFunc("/calls/{service}/", func(_ http.ResponseWriter, r *http.Request) {
		visit(t, client, r.Context(), "http://"+r.PathValue("service")+strings.TrimPrefix(r.URL.Path, "/calls/"+r.PathValue("service")))
	})
	mounted.Handle("/mesh/", http.StripPrefix("/mesh", pages))
	server := &http.Server{Handler: fromElsewhere(m.Handler(mounted))}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(lis) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return &machine{m, pages, lis.Addr().String()}
}

// fromElsewhere has requests come from another machine.
func fromElsewhere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = "192.0.2.1:40000"
		next.ServeHTTP(w, r)
	})
}

// proving is a client that proves to be a service.
func proving(t *testing.T, f *meshtest.Fleet, service string) *http.Client {
	t.Helper()
	own := new(tlsid.Current)
	for credential, err := range f.Identity(service).Watch(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		own.Store(credential)
		break
	}
	transport := &http.Transport{TLSClientConfig: tlsid.ClientConfig(own, tlsid.Expect{NextProtos: []string{"h2", "http/1.1"}}), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func idOf(t *testing.T, service string) tlsid.ID {
	t.Helper()
	id, err := tlsid.ParseID("spiffe://cluster.local/ns/default/sa/" + service)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func register(t *testing.T, f *meshtest.Fleet, service, address string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(address)
	e := discovery.Endpoint{Address: address, Identity: idOf(t, service).String(), Labels: meshtest.Labels{admin.PortLabel: port}}
	if err := f.Discovery().Set(service, []discovery.Endpoint{e}); err != nil {
		t.Fatal(err)
	}
}

// TestFleetBetweenMachines: instances let each other in by what they prove, and
// nobody else; all of it over real connections.
func TestFleetBetweenMachines(t *testing.T) {
	f := meshtest.New(t)
	front := startMachine(t, f, "productpage", idOf(t, "productpage"))
	back := startMachine(t, f, "reviews", idOf(t, "productpage"))
	closed := startMachine(t, f, "ratings", idOf(t, "somebody"))
	for service, m := range map[string]*machine{"productpage": front, "reviews": back, "ratings": closed} {
		register(t, f, service, m.address)
	}
	visit(t, proving(t, f, "gateway"), t.Context(), "https://"+front.address+"/calls/reviews/calls/ratings/")
	s := &scene{Fleet: f, t: t, mesh: front.mesh, pages: front.pages}
	var got admin.Topology
	s.until("all are asked", func() bool {
		got = admin.Topology{}
		s.read("/api/topology?fleet=1&window=60s", &got)
		return len(got.Instances) == 3 && has(got, "default/reviews", "default/ratings")
	})
	if !has(got, "default/productpage", "default/reviews") {
		t.Errorf("%+v", got.Edges)
	}
	for i, service := range []string{"productpage", "ratings", "reviews"} {
		in := got.Instances[i]
		switch {
		case service == "ratings" && (in.Instance != nil || !strings.Contains(in.Error, "403")):
			t.Errorf("it lets in whom it does not know: %+v", in)
		case service != "ratings" && (in.Instance == nil || in.Instance.Identity != idOf(t, service).String()):
			t.Errorf("%s: %+v", service, in)
		}
	}
}

// TestPeersAreLetInByWhatTheyProve: over mutual TLS, by who is at the other end.
func TestPeersAreLetInByWhatTheyProve(t *testing.T) {
	f := meshtest.New(t)
	m := startMachine(t, f, "reviews", idOf(t, "productpage"), tlsid.ID{})
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for name, c := range map[string]struct {
		client *http.Client
		url    string
		want   int
	}{
		"one of them":        {proving(t, f, "productpage"), "https://", http.StatusOK},
		"another":            {proving(t, f, "ratings"), "https://", http.StatusForbidden},
		"who proves nothing": {plain, "http://", http.StatusForbidden},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, c.url+m.address+"/mesh/api/version", nil)
		resp, err := c.client.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = resp.Body.Close()
		if cancel(); resp.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, c.want)
		}
	}
}
