package rules

import (
	"cmp"
	"slices"

	types "istio.io/api/type/v1beta1"
)

// rootNamespace is where Istio's rules for the whole mesh stand unless the mesh
// is configured otherwise, which is not known here.
const rootNamespace = "istio-system"

const maxTargets = 16

// A targeted policy says which workloads it is for.
type targeted interface {
	GetSelector() *types.WorkloadSelector
	GetTargetRef() *types.PolicyTargetReference
	GetTargetRefs() []*types.PolicyTargetReference
}

func validateTargets(c *checker, p targeted) {
	validateMatchLabels(c, p.GetSelector())
	validateOneTarget(c)
	if ref := p.GetTargetRef(); ref != nil {
		validateTarget(c, "spec.targetRef", ref)
	}
	validateCount(c, "spec.targetRefs", len(p.GetTargetRefs()), maxTargets)
	for i, ref := range p.GetTargetRefs() {
		validateTarget(c, nth("spec.targetRefs", i), ref)
	}
}

func validateMatchLabels(c *checker, s *types.WorkloadSelector) {
	if s != nil {
		validateSelector(c, "spec.selector.matchLabels", s.MatchLabels, selectorLimits{labels: 4096, value: 63})
	}
}

// validateOneTarget reports the second of the fields of which one may be written.
func validateOneTarget(c *checker) {
	first := ""
	for _, field := range []string{"selector", "targetRef", "targetRefs"} {
		switch {
		case !c.written("spec." + field):
		case first != "":
			c.invalid("spec."+field, "stands beside %s: want one or the other", first)
		default:
			first = field
		}
	}
}

// attachments are what a policy may be attached to, by group and kind.
var attachments = []string{
	"core/Service", "networking.istio.io/ServiceEntry",
	"gateway.networking.k8s.io/Gateway", "gateway.networking.k8s.io/GatewayClass",
}

func validateTarget(c *checker, path string, ref *types.PolicyTargetReference) {
	if name := cmp.Or(ref.Group, "core") + "/" + ref.Kind; !slices.Contains(attachments, name) {
		c.invalid(path, "%q: want one of %q as group/kind", brief(name), attachments)
	}
	if ref.Name == "" {
		c.invalid(path+".name", "missing: want a name")
	}
	validateSize(c, path+".name", ref.Name, 253)
	if ref.Namespace != "" {
		c.invalid(path+".namespace", "%q: want none, a target is of the own namespace", brief(ref.Namespace))
	}
}
