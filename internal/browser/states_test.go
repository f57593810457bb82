package browser_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/internal/browser"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

// all are the pages, by the fragments of their addresses.
func all() []string {
	return []string{"topology", "topology?view=table", "destinations", "rules", "certificates", "requests", "explain", "explain?host=reviews", "tap", "config"}
}

// serve shows the pages of a mesh that has nothing to do, under a prefix.
func serve(t *testing.T) string {
	t.Helper()
	m, err := mesh.New(context.Background(), mesh.Config{})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/debug/mesh/", http.StripPrefix("/debug/mesh", admin.New(m, admin.Config{})))
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		_ = m.Close()
	})
	return server.URL + "/debug/mesh/"
}

func TestPagesOfAMeshWithNothingToDoSaySo(t *testing.T) {
	p, url := open(t), serve(t)
	for _, name := range all() {
		p.visit(url + "#/" + name)
		p.sound(name)
	}
	p.silent()
}

// TestPagesSayThatAnAnswerDidNotCome: and show it when it comes after all.
func TestPagesSayThatAnAnswerDidNotCome(t *testing.T) {
	p, url := open(t), serve(t)
	for _, name := range []string{"topology", "destinations", "rules", "certificates", "requests"} {
		p.must(p.Answer(p.ctx, map[string]string{"/api/" + name: ""}))
		p.visit(url + "#/" + name)
		p.until(`document.querySelector("[role=alert]")?.textContent.includes("it is broken")`)
		p.must(p.Answer(p.ctx, nil))
		p.until(`!document.querySelector("[role=alert]")`)
	}
}

// TestTextsAreNeverMarkup: whatever a peer or a rule calls itself.
func TestTextsAreNeverMarkup(t *testing.T) {
	p, url := open(t), serve(t)
	evil := `<img src=x onerror="document.title='gone'"><script>document.title='gone'</script>`
	p.must(p.Answer(p.ctx, map[string]string{"/api/topology": asJSON(t, graph(edge(evil, "reviews@"+evil)))}))
	for _, view := range []string{"graph", "table"} {
		p.visit(url + "#/topology?view=" + view)
		p.until(`document.querySelector("main").textContent.includes("<img")`)
		p.sound(view)
	}
	if title := p.text("document.title"); title != "Topology · inmesh" {
		t.Errorf("the title has become %q", title)
	}
	p.silent()
}

// TestInstancesThatDoNotAnswerAreNamed: what they report is missing in the graph.
func TestInstancesThatDoNotAnswerAreNamed(t *testing.T) {
	p, url := open(t), serve(t)
	p.must(p.Answer(p.ctx, map[string]string{"/api/topology": asJSON(t, admin.Topology{
		Graph: graph(edge("productpage", "reviews")),
		Instances: []admin.InstanceAnswer{
			{Service: "reviews", Endpoint: "127.0.0.1:9080", Instance: &admin.Instance{}},
			{Service: "ratings", Endpoint: "127.0.0.1:9081", Error: "connection refused"},
		},
	})}))
	p.visit(url)
	p.until(`document.querySelector(".note.warn summary").textContent.startsWith("1 of 2 instances did not answer")`)
	p.until(`document.querySelector(".note.warn").textContent.includes("ratings 127.0.0.1:9081: connection refused")`)
	p.sound("an instance that does not answer")
	p.silent()
}

// TestFiftyServicesFit: on wide screens and on narrow ones, by day and by night.
func TestFiftyServicesFit(t *testing.T) {
	p, url := open(t), serve(t)
	p.must(p.Answer(p.ctx, map[string]string{"/api/topology": asJSON(t, fifty())}))
	for _, width := range []int{1280, 360} {
		for _, scheme := range []browser.Scheme{browser.Light, browser.Dark} {
			p.must(p.Size(p.ctx, width, 800))
			p.must(p.Look(p.ctx, scheme))
			p.visit(url)
			p.until(`document.querySelectorAll(".node").length === 50`)
			p.sound(fmt.Sprintf("%s at %d", scheme, width))
			if outside := p.text(outsiders); outside != "" {
				t.Errorf("%s at %d: outside of the graph: %s", scheme, width, outside)
			}
		}
	}
	p.silent()
}

// outsiders are the nodes that the graph does not show.
const outsiders = `[...document.querySelectorAll(".node")].filter((n) => {
	const box = n.getBoundingClientRect(), graph = document.querySelector(".graph").getBoundingClientRect();
	return box.left < graph.left || box.right > graph.right || box.top < graph.top || box.bottom > graph.bottom;
}).map((n) => n.textContent)`

// fifty is a graph of fifty services, one of which has a long name.
func fifty() topology.Graph {
	edges := []topology.Edge{edge("team-a/service-0", "team-a/a-service-whose-name-is-a-good-deal-longer-than-others@v1.2.3-rc.4")}
	for i := range 48 {
		e := edge(fmt.Sprintf("team-a/service-%d", i/3), fmt.Sprintf("team-a/service-%d", i+1))
		e.ErrorRate = float64(i%4) / 40
		edges = append(edges, e)
	}
	return graph(edges...)
}

func edge(from, to string) topology.Edge {
	t := topology.Traffic{Requests: 20, P50: 1, P90: 3, P99: 9, Latency: []topology.Bucket{{UpTo: 1, Requests: 15}, {UpTo: 9, Requests: 5}}}
	return topology.Edge{Source: from, Target: to, Protocol: "http", Secure: true, Traffic: t, Outbound: &t}
}

// graph is one of edges, whose ends are its nodes.
func graph(edges ...topology.Edge) topology.Graph {
	g := topology.Graph{At: time.Now(), Window: 10, Edges: edges}
	seen := map[string]bool{}
	for _, e := range edges {
		for _, id := range []string{e.Source, e.Target} {
			if !seen[id] {
				seen[id] = true
				g.Nodes = append(g.Nodes, topology.Vertex{ID: id, Node: topology.Node{Name: id}})
			}
		}
	}
	return g
}
