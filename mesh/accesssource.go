package mesh

import (
	"time"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/follow"
)

// heed follows who decides about inbound requests beside the policies.
func (m *Mesh) heed(source authz.Source) *follow.Loop {
	return follow.Start(source.Watch, m.allow, m.unheard)
}

func (m *Mesh) allow(c authz.Checker) {
	m.guard.Obey(c)
	m.status.agreed(AccessStatus{Heard: time.Now()})
}

// unheard keeps the last word in force, and says what ails its source.
func (m *Mesh) unheard(err error) {
	m.status.disagreed(err)
	m.config.Logger.Warn("access", "err", err)
}

func (t *tracker) agreed(s AccessStatus) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.access = s
}

func (t *tracker) disagreed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.access.Err = err
}
