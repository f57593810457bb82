package plan

import (
	"cmp"
	"fmt"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// TLSFaults are the rules that a workload without an identity of its own cannot
// obey: those that demand mutual TLS by it. Plaintext is no substitute, so they
// must not be put in force. Rules that the workload does not see are not its
// concern.
func TLSFaults(set *rules.Set, o Options) rules.Faults {
	client := cmp.Or(o.Workload.Namespace, "default")
	var faults rules.Faults
	for _, dr := range set.DestinationRules {
		if _, visible := visibility(dr.Spec.ExportTo, dr.Namespace, client); !visible {
			continue
		}
		if s := dr.Spec.WorkloadSelector; s != nil && (dr.Namespace != client || !SubsetOf(s.MatchLabels, o.Workload.Labels)) {
			continue
		}
		faults = append(faults, demands(dr)...)
	}
	return faults
}

// demands are the blocks of a rule that demand an identity.
func demands(dr *rules.DestinationRule) (faults rules.Faults) {
	add := func(path string, tls *networking.ClientTLSSettings) {
		if tls.GetMode() == networking.ClientTLSSettings_ISTIO_MUTUAL {
			faults = append(faults, noIdentity(dr, path+".tls.mode"))
		}
	}
	visit := func(path string, p *networking.TrafficPolicy) {
		add(path, p.GetTls())
		for i, entry := range p.GetPortLevelSettings() {
			add(fmt.Sprintf("%s.portLevelSettings[%d]", path, i), entry.GetTls())
		}
	}
	visit("spec.trafficPolicy", dr.Spec.TrafficPolicy)
	for i, s := range dr.Spec.Subsets {
		if s.TrafficPolicy == nil { // as in most of many: no path is spelt for them
			continue
		}
		visit(fmt.Sprintf("spec.subsets[%d].trafficPolicy", i), s.TrafficPolicy)
	}
	return faults
}

func noIdentity(dr *rules.DestinationRule, field string) rules.Fault {
	m := &dr.Meta
	return rules.Fault{
		Severity: rules.Refused, File: m.File, Line: dr.LineOf(field),
		Kind: m.Kind, Namespace: m.Namespace, Name: m.Name, Field: field,
		Message: "ISTIO_MUTUAL: this workload has no identity to prove: refusing rather than sending plaintext",
	}
}
