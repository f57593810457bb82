package mesh

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A Status is what an operator wants to know at a glance.
type Status struct {
	Rules    RulesStatus
	Identity IdentityStatus
	// MirrorDrops is how many mirrored requests were not sent.
	MirrorDrops uint64
}

// RulesStatus is the state of the rules.
type RulesStatus struct {
	Version  string       // in force
	Since    time.Time    // when they came into force
	Objects  int          // how many rules are in force
	Warnings rules.Faults // what has no effect, or probably not the one meant
	Rejected int          // how often newer rules were rejected
	Err      error        // why the newest were; nil if they are in force
}

// A tracker keeps the status.
type tracker struct {
	mirrorDrops atomic.Uint64

	mu    sync.Mutex
	rules RulesStatus
}

func (t *tracker) applied(set *rules.Set) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rules = RulesStatus{
		Version:  set.Version,
		Since:    time.Now(),
		Objects:  set.Len(),
		Warnings: set.Warnings,
		Rejected: t.rules.Rejected,
	}
}

func (t *tracker) rejected(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rules.Rejected++
	t.rules.Err = err
}

func (t *tracker) get() RulesStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rules
}

// Status returns the state of the mesh.
func (m *Mesh) Status() Status {
	return Status{Rules: m.status.get(), Identity: m.identity.get(), MirrorDrops: m.status.mirrorDrops.Load()}
}

// Clusters lists the destinations that have been used so far, with their
// endpoints, ordered by name.
func (m *Mesh) Clusters() []ClusterStatus {
	var out []ClusterStatus
	now := time.Now()
	for _, cl := range m.engine.Clusters() {
		usage := cl.Gate().Usage()
		out = append(out, ClusterStatus{
			Service: cl.Key.Host, Port: cl.Key.Port, Subset: cl.Key.Subset,
			Requests: usage.Requests, Pending: usage.Pending, Retries: usage.Retries,
			Endpoints: m.endpointsOf(cl, now),
		})
	}
	slices.SortFunc(out, func(a, b ClusterStatus) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Subset, b.Subset))
	})
	return out
}

// A ClusterStatus is one destination as this process sees it.
type ClusterStatus struct {
	Service   string           `json:"service"`
	Port      uint16           `json:"port,omitempty"`
	Subset    string           `json:"subset,omitempty"`
	Requests  int              `json:"requests"` // under way
	Pending   int              `json:"pending"`  // waiting for a connection
	Retries   int              `json:"retries"`  // under way
	Endpoints []EndpointStatus `json:"endpoints"`
}
