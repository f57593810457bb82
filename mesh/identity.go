package mesh

import (
	"sync"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/follow"
	"github.com/inmesh-go/inmesh/tlsid"
)

// An identity is who the process is now, by its source.
type identity struct {
	current tlsid.Current
	loop    *follow.Loop // nil: the process has no identity

	mu     sync.Mutex
	status IdentityStatus
}

// IdentityStatus is the state of the process's own credential.
type IdentityStatus struct {
	ID        string    // "": there is none
	NotBefore time.Time // the validity of the certificate in force
	NotAfter  time.Time
	Rotations int   // how many credentials came into force after the first
	Err       error // the latest trouble with the source; nil since a credential came
}

// own is the credential in force; the zero Credential if there is none.
func (i *identity) own() tlsid.Credential {
	c, _ := i.current.Load()
	return c
}

func (i *identity) get() IdentityStatus {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.status
}

func (i *identity) close() {
	if i.loop != nil {
		i.loop.Close()
	}
}

// follow puts each credential in force.
func (m *Mesh) follow(source tlsid.Source) *follow.Loop {
	return follow.Start(source.Watch, m.identify, m.misidentified)
}

func (m *Mesh) identify(c tlsid.Credential) {
	m.identity.current.Store(c)
	m.identity.mu.Lock()
	s := &m.identity.status
	rotations := s.Rotations
	if s.ID != "" {
		rotations++
	}
	*s = IdentityStatus{ID: c.ID().String(), NotBefore: c.NotBefore(), NotAfter: c.NotAfter(), Rotations: rotations}
	info := IdentityInfo{ID: s.ID, NotAfter: s.NotAfter}
	m.identity.mu.Unlock()
	m.rotate()
	m.config.Logger.Info("identity", "credential", c)
	if hook := m.config.Observer.Identity; hook != nil {
		hook(info)
	}
}

// rotate has connections end that were made by a credential before the one in
// force, when they have carried what is under way.
func (m *Mesh) rotate() {
	for _, w := range m.wires() {
		w.rotate()
	}
}

// misidentified keeps the credential in force, and says what ails its source.
func (m *Mesh) misidentified(err error) {
	m.identity.mu.Lock()
	m.identity.status.Err = err
	info := IdentityInfo{ID: m.identity.status.ID, NotAfter: m.identity.status.NotAfter, Err: err}
	m.identity.mu.Unlock()
	m.config.Logger.Warn("identity", "err", err)
	if hook := m.config.Observer.Identity; hook != nil {
		hook(info)
	}
}
