package admin_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// An asker is pages that ask instances at one port.
type asker struct {
	scene
	port string
}

// asking is pages that ask one other instance, which answers as h does.
func asking(t *testing.T, h http.HandlerFunc, client *http.Client) *asker {
	t.Helper()
	f := meshtest.New(t)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	f.StartEndpoint("reviews", answering(200), discovery.Endpoint{Labels: meshtest.Labels{admin.PortLabel: port}})
	m := f.Mesh(mesh.Config{})
	pages := admin.New(m, admin.Config{Fleet: admin.Fleet{Services: []string{"reviews"}, Client: client, Timeout: patience}})
	return &asker{scene{Fleet: f, t: t, mesh: m, pages: pages}, port}
}

// TestFleetIsNotLedElsewhere: an instance that redirects is not followed, whatever
// client asks.
func TestFleetIsNotLedElsewhere(t *testing.T) {
	var led atomic.Bool
	client := byPort()
	client.CheckRedirect = nil
	s := asking(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			led.Store(true)
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}, client)
	var got admin.Topology
	if s.read("/api/topology?fleet=1", &got); led.Load() || client.CheckRedirect != nil {
		t.Errorf("it went elsewhere: %+v", got.Instances)
	}
}

// TestFleetAsksNoAddressThatAnInstanceNames: where instances live is what discovery
// says, and not what one of them does.
func TestFleetAsksNoAddressThatAnInstanceNames(t *testing.T) {
	var lured atomic.Bool
	victim := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { lured.Store(true) }))
	t.Cleanup(victim.Close)
	where := netip.MustParseAddrPort(victim.Listener.Addr().String())
	liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"instance": {"id": "liar"}, "nodes": [
			{"id": "a", "namespace": "default", "name": "127.0.0.1"}, {"id": "b", "namespace": "0.1", "name": "127.0"}]}`)
	}))
	t.Cleanup(liar.Close)
	_, port, _ := net.SplitHostPort(liar.Listener.Addr().String())
	m, err := mesh.New(t.Context(), mesh.Config{Rules: rules.Static(fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: reviews}
spec:
  hosts: [reviews.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1, labels: {%s: "%s"}}]
`, admin.PortLabel, port))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	s := &scene{t: t, mesh: m, pages: admin.New(m, admin.Config{Fleet: admin.Fleet{Port: where.Port(), Services: []string{"reviews"}, Timeout: patience}})}
	var got admin.Topology
	s.read("/api/topology?fleet=1", &got)
	if len(got.Instances) != 1 || got.Instances[0].Instance == nil || len(got.Nodes) != 2 || lured.Load() {
		t.Errorf("lured: %v, %+v", lured.Load(), got.Instances)
	}
}

// TestFleetOutlivesNumbersWithoutBounds: one instance cannot take the graph of all
// away by what cannot be added.
func TestFleetOutlivesNumbersWithoutBounds(t *testing.T) {
	for _, traffic := range []string{
		`"outbound": {"requestsPerSecond": 1e308}, "inbound": {"requestsPerSecond": 1e308}`,
		`"outbound": {"requestsPerSecond": 1, "latency": [{"upToMilliseconds": 1, "requestsPerSecond": 1e308}, {"upToMilliseconds": 1, "requestsPerSecond": 1e308}]}`,
	} {
		edge := `{"source": "a", "target": "b", "protocol": "http", ` + traffic + `}`
		s := asking(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"instance": {"id": "x"}, "edges": [%s, %s]}`, edge, edge)
		}, byPort())
		var got admin.Topology
		if s.read("/api/topology?fleet=1", &got); len(got.Instances) != 1 || got.Instances[0].Error == "" {
			t.Errorf("%s: %+v", traffic, got)
		}
	}
}

// TestFleetTakesNoMoreThanItCanHold: however many instances there are, and however
// much each says.
func TestFleetTakesNoMoreThanItCanHold(t *testing.T) {
	var n atomic.Int32
	padding := bytes.Repeat([]byte(" "), 8<<20-1000)
	s := asking(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"instance": {"id": "%d"}}`, n.Add(1))
		_, _ = w.Write(padding)
	}, byPort())
	for range 9 {
		s.StartEndpoint("reviews", answering(200), discovery.Endpoint{Labels: meshtest.Labels{admin.PortLabel: s.port}})
	}
	var got admin.Topology
	s.read("/api/topology?fleet=1", &got)
	if len(got.Instances) != 10 || !slices.ContainsFunc(got.Instances, func(a admin.InstanceAnswer) bool {
		return strings.Contains(a.Error, "67108864 bytes")
	}) {
		t.Errorf("%+v", got.Instances)
	}
}
