package authz

import (
	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A Mode says how callers may connect to a port.
type Mode uint8

const (
	// Permissive: with mutual TLS or in plaintext; the default.
	Permissive Mode = iota
	// Strict: with mutual TLS only.
	Strict
	// Disable: in plaintext only.
	Disable
)

// String returns PERMISSIVE, STRICT or DISABLE, as policies have it.
func (m Mode) String() string { return [...]string{"PERMISSIVE", "STRICT", "DISABLE"}[m] }

// Modes are the modes of a workload's ports. They are immutable; the zero value
// is [Permissive] for all.
type Modes struct {
	all   Mode
	ports map[uint16]Mode
}

// Of returns the mode of a port.
func (m Modes) Of(port uint16) Mode {
	if mode, ok := m.ports[port]; ok {
		return mode
	}
	return m.all
}

// CompileModes returns what the policies, oldest first as a Set has them, say of
// a workload: the one with its labels, else the one of its namespace, else the
// one of the root namespace ("": istio-system), else [Permissive]. Of several on
// one level the oldest counts. UNSET inherits from the next level, of a port from
// the workload; only a policy with labels names ports.
func CompileModes(policies []*rules.PeerAuthentication, w Workload, rootNamespace string) (m Modes) {
	s := newScope(w, rootNamespace)
	var chosen [noLevel]*security.PeerAuthentication
	for _, policy := range policies {
		if level := s.level(policy); level != noLevel && chosen[level] == nil {
			chosen[level] = policy.Spec
		}
	}
	for _, spec := range chosen {
		m.all = inherit(m.all, spec.GetMtls())
	}
	m.ports = make(map[uint16]Mode)
	for port, mtls := range chosen[workloadLevel].GetPortLevelMtls() {
		m.ports[uint16(port)] = inherit(m.all, mtls)
	}
	return m
}

// Mode returns how callers may connect to a port of the workload; see
// [CompileModes].
func (p *Policies) Mode(port uint16) Mode { return p.modes.Of(port) }

func inherit(parent Mode, mtls *security.PeerAuthentication_MutualTLS) Mode {
	switch mtls.GetMode() {
	case security.PeerAuthentication_MutualTLS_DISABLE:
		return Disable
	case security.PeerAuthentication_MutualTLS_PERMISSIVE:
		return Permissive
	case security.PeerAuthentication_MutualTLS_STRICT:
		return Strict
	}
	return parent
}
