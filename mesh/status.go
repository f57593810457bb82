package mesh

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A Status is what an operator wants to know at a glance.
type Status struct {
	Rules    RulesStatus
	Identity IdentityStatus
	Access   AccessStatus
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

// AccessStatus is the state of Config.Access.
type AccessStatus struct {
	Heard time.Time // when it last said what holds; zero: never
	Err   error     // the trouble since; nil: none
}

// A tracker keeps the status.
type tracker struct {
	mirrorDrops atomic.Uint64
	reloads     atomic.Uint64 // versions of the rules that came into force

	mu     sync.Mutex
	set    *rules.Set // in force
	rules  RulesStatus
	access AccessStatus
}

func (t *tracker) applied(set *rules.Set) {
	t.reloads.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set = set
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

func (t *tracker) get() (RulesStatus, AccessStatus) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rules, t.access
}

// Status returns the state of the mesh.
func (m *Mesh) Status() Status {
	rules, access := m.status.get()
	return Status{Rules: rules, Identity: m.identity.get(), Access: access, MirrorDrops: m.status.mirrorDrops.Load()}
}

// Rules are those in force. Nobody changes them.
func (m *Mesh) Rules() *rules.Set {
	m.status.mu.Lock()
	defer m.status.mu.Unlock()
	return m.status.set
}

// Workload is who this process is, with defaults applied.
func (m *Mesh) Workload() Workload { return m.config.Workload }
