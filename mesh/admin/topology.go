package admin

import (
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
	Service  string    `json:"service"` // by which it was found
	Endpoint string    `json:"endpoint"`
	Instance *Instance `json:"instance,omitempty"` // nil: it did not answer
	Error    string    `json:"error,omitempty"`    // why not
}

func (a *admin) instance() Instance {
	w := a.mesh.Workload()
	return Instance{a.id, w.Service, w.Namespace, w.Labels, a.mesh.Status().Identity.ID}
}

func (a *admin) topology(w http.ResponseWriter, _ *http.Request) {
	answer(w, Topology{Instance: a.instance(), Graph: topology.NewLive(topology.Config{}).Graph(time.Now(), time.Minute)})
}
