package admin

import (
	"fmt"
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

// A Topology is the answer of /api/topology.
type Topology struct {
	Instance Instance `json:"instance"` // who answers
	topology.Graph
	// Instances are those that were asked, of /api/topology?fleet=1.
	Instances []InstanceAnswer `json:"instances,omitempty"`
}

// An Instance is one process of the mesh.
type Instance struct {
	ID        string            `json:"id"` // another one after each start
	Service   string            `json:"service"`
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels,omitempty"`
	Identity  string            `json:"identity,omitempty"` // SPIFFE ID
}

// An InstanceAnswer is what became of asking an instance.
type InstanceAnswer struct {
	Service  string    `json:"service"` // by which it was found, name.namespace
	Endpoint string    `json:"endpoint"`
	Instance *Instance `json:"instance,omitempty"` // nil: it did not answer
	Error    string    `json:"error,omitempty"`    // why not
}

func (a *admin) instance() Instance {
	w := a.mesh.Workload()
	return Instance{a.id, w.Service, w.Namespace, newMasker().texts(w.Labels), a.mesh.Status().Identity.ID}
}

// topology answers with the graph of this process or, by fleet=1, of all. The
// parameter window is a duration of 1s to 60s, format json, dot or mermaid.
func (a *admin) topology(w http.ResponseWriter, r *http.Request) {
	v, err := viewOf(r)
	if err != nil {
		refuse(w, err)
		return
	}
	t := Topology{Instance: a.instance(), Graph: a.mesh.Graph(v.window)}
	if v.fleet {
		t, err = a.fleet.gather(r.Context(), v.window)
	}
	if err != nil { // nobody waits any more
		return
	}
	switch v.format {
	case "dot":
		write(w, "text/vnd.graphviz; charset=utf-8", t.DOT())
	case "mermaid":
		write(w, "text/plain; charset=utf-8", t.Mermaid())
	default:
		t.Nodes, t.Edges = listed(t.Nodes), listed(t.Edges)
		answer(w, t)
	}
}

// A view is which graph is asked for.
type view struct {
	window time.Duration
	fleet  bool
	format string
}

func viewOf(r *http.Request) (v view, err error) {
	q, err := asked(r)
	if err != nil {
		return v, err
	}
	switch v.format = q.Get("format"); v.format {
	case "", "json", "dot", "mermaid":
	default:
		return v, fmt.Errorf("format: %.20q is none of json, dot, mermaid", v.format)
	}
	if v.window, err = windowOf(q.Get("window")); err == nil {
		v.fleet, err = flag(q, "fleet")
	}
	return v, err
}

const (
	defaultWindow = 10 * time.Second
	longestWindow = time.Minute
)

func windowOf(text string) (time.Duration, error) {
	if text == "" {
		return defaultWindow, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > longestWindow {
		return 0, fmt.Errorf("window: %.20q is no duration of 1s to %v", text, longestWindow)
	}
	return d, nil
}

// listed makes no elements an empty list in JSON too.
func listed[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}
