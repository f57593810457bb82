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

// modes are what the PeerAuthentications say.
type modes struct {
	all   Mode
	ports map[uint16]Mode
}

// Mode returns how callers may connect to a port of the workload: what the
// PeerAuthentication with its labels says, else the one of its namespace, else
// the one of the root namespace, else Permissive. Of several on one level the
// oldest counts. UNSET inherits; ports are named by the first only.
func (p *Policies) Mode(port uint16) Mode {
	if m, ok := p.modes.ports[port]; ok {
		return m
	}
	return p.modes.all
}

// levels of a PeerAuthentication, from the widest.
const (
	meshLevel = iota
	namespaceLevel
	workloadLevel
	noLevel
)

func (c *compiler) selectModes(policies []*rules.PeerAuthentication) (m modes) {
	var chosen [noLevel]*security.PeerAuthentication
	for _, policy := range policies { // oldest first
		if level := c.level(policy); level != noLevel && chosen[level] == nil {
			chosen[level] = policy.Spec
		}
	}
	for _, spec := range chosen {
		m.all = inherit(m.all, spec.GetMtls())
	}
	for port, mtls := range chosen[workloadLevel].GetPortLevelMtls() {
		if m.ports == nil {
			m.ports = map[uint16]Mode{}
		}
		m.ports[uint16(port)] = inherit(m.all, mtls)
	}
	return m
}

// level says what a PeerAuthentication is about; noLevel: not this workload.
// One with a selector in the root namespace is about nobody (Istio,
// pilot/pkg/security/authn/policy_applier.go, ComposePeerAuthentication).
func (c *compiler) level(policy *rules.PeerAuthentication) int {
	labels := policy.Spec.GetSelector().GetMatchLabels()
	switch {
	case len(labels) == 0 && policy.Namespace == c.root:
		return meshLevel
	case policy.Namespace == c.root || policy.Namespace != c.workload.Namespace:
		return noLevel
	case len(labels) == 0:
		return namespaceLevel
	case c.selected(labels):
		return workloadLevel
	}
	return noLevel
}

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
