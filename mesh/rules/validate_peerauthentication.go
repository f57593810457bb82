package rules

import (
	"fmt"
	"maps"
	"slices"

	security "istio.io/api/security/v1beta1"
)

// validatePeerAuthentication reports what is wrong with a PeerAuthentication.
func validatePeerAuthentication(c *checker, p *security.PeerAuthentication) {
	checkFields(c, p)
	validateMatchLabels(c, p.Selector)
	validatePortModes(c, p)
	if p.Selector != nil && c.meta.Namespace == rootNamespace {
		c.warn("spec.selector", "the whole policy has no effect, in Istio too: in the root namespace, %s unless the mesh says otherwise, none may have a selector", rootNamespace)
	}
}

// validatePortModes checks the modes of single ports, which are those of
// workloads: namespaces have no ports.
func validatePortModes(c *checker, p *security.PeerAuthentication) {
	const path = "spec.portLevelMtls"
	if !c.written(path) {
		return
	}
	if len(p.PortLevelMtls) == 0 {
		c.invalid(path, "empty: want at least one port")
	}
	if len(p.GetSelector().GetMatchLabels()) == 0 {
		c.invalid(path, "without labels in the selector: ports are those of workloads")
	}
	for _, port := range slices.Sorted(maps.Keys(p.PortLevelMtls)) {
		validatePort(c, entry(path, fmt.Sprint(port)), port)
	}
}

// warnPeers names policies that another one for the same workloads outranks:
// "the oldest one is used" of those of one level, they are not merged.
func warnPeers(policies []*PeerAuthentication) (faults Faults) {
	first := map[string]*PeerAuthentication{}
	for _, p := range policies {
		key := fmt.Sprint(p.Namespace, p.Spec.GetSelector().GetMatchLabels())
		if f := first[key]; f != nil {
			faults = append(faults, warning(p, "spec",
				"has no effect: PeerAuthentication %s/%s, which comes first, is for the same workloads", f.Namespace, f.Name))
			continue
		}
		first[key] = p
	}
	return faults
}
