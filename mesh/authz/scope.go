package authz

import "github.com/inmesh-go/inmesh/mesh/rules"

// A scope says which policies are about a workload.
type scope struct {
	workload Workload
	root     string // the namespace of the whole mesh
}

func newScope(w Workload, root string) scope {
	if w.Namespace == "" {
		w.Namespace = defaultNamespace
	}
	if root == "" {
		root = defaultRootNamespace
	}
	return scope{w, root}
}

// applies says whether a policy is about the workload: it is in the root
// namespace or the workload's own, and selects all or these labels. Those with
// a target are about gateways and waypoints.
func (s scope) applies(policy *rules.AuthorizationPolicy) bool {
	if policy.Namespace != s.root && policy.Namespace != s.workload.Namespace {
		return false
	}
	if policy.Spec.GetTargetRef() != nil || len(policy.Spec.GetTargetRefs()) > 0 {
		return false
	}
	return s.selects(policy.Spec.GetSelector().GetMatchLabels())
}

func (s scope) selects(labels map[string]string) bool {
	for name, value := range labels {
		if got, ok := s.workload.Labels[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// levels of a PeerAuthentication, from the widest.
const (
	meshLevel = iota
	namespaceLevel
	workloadLevel
	noLevel
)

// level says what a PeerAuthentication is about; noLevel: not this workload.
// One with a selector in the root namespace is about nobody (Istio,
// pilot/pkg/security/authn/policy_applier.go, ComposePeerAuthentication).
func (s scope) level(policy *rules.PeerAuthentication) int {
	labels := policy.Spec.GetSelector().GetMatchLabels()
	switch {
	case len(labels) == 0 && policy.Namespace == s.root:
		return meshLevel
	case policy.Namespace == s.root || policy.Namespace != s.workload.Namespace:
		return noLevel
	case len(labels) == 0:
		return namespaceLevel
	case s.selects(labels):
		return workloadLevel
	}
	return noLevel
}
