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
			{"id": "default/127.0.0.1", "namespace": "default", "name": "127.0.0.1"}, {"id": "0.1/127.0", "namespace": "0.1", "name": "127.0"}]}`)
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

// TestFleetOutlivesWhatCannotBeMerged: one instance cannot take the graph of all
// away by what cannot be added, or be drawn.
func TestFleetOutlivesWhatCannotBeMerged(t *testing.T) {
	const nodes = `"nodes": [{"id": "a", "name": "a"}, {"id": "b", "name": "b"}]`
	const edge = `{"source": "a", "target": "b", "protocol": "http"`
	for graph, want := range map[string]string{
		nodes + `, "edges": [` + edge + `}]`:                                                                           "",
		nodes + `, "edges": [` + edge + `}, ` + edge + `}]`:                                                            "is there twice",
		nodes + `, "edges": [` + edge + `, "reportedBySource": {"requestsPerSecond": 1e308}}]`:                         "a number that is not within 0 to 1e+15",
		nodes + `, "edges": [` + edge + `, "reportedByTarget": {"connections": 1e308}}]`:                               "a number that is not within 0 to 1e+15",
		nodes + `, "edges": [` + edge + `, "reportedByTarget": {"connections": -1}}]`:                                  "a number that is not within 0 to 1e+15",
		nodes + `, "edges": [` + edge + `, "reportedBySource": {"latency": [{"requestsPerSecond": 1e308}]}}]`:          "a number that is not within 0 to 1e+15",
		nodes + `, "windowSeconds": -1`:                                                                                "a window of -1 s",
		`"edges": [` + edge + `}]`:                                                                                     `"a" is no node of it`,
		`"nodes": [{"id": "a\nb", "name": "a\nb"}]`:                                                                    `node 0, "a\nb", has a control character in its name`,
		`"nodes": [{"id": "productpage", "name": "evil"}]`:                                                             `node 0 is called "productpage": want "evil"`,
		`"nodes": [{"id": "a", "name": "a"}], "edges": [{"source": "a", "target": "<img src=x>", "protocol": "http"}]`: `is no node of it`,
	} {
		s := asking(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"instance": {"id": "x"}, %s}`, graph)
		}, byPort())
		var got admin.Topology
		s.read("/api/topology?fleet=1", &got)
		if len(got.Instances) != 1 || (got.Instances[0].Error == "") != (want == "") || !strings.Contains(got.Instances[0].Error, want) {
			t.Errorf("%s: got %+v, want %q", graph, got.Instances, want)
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
