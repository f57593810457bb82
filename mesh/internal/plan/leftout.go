package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	networking "istio.io/api/networking/v1alpha3"
)

// A LeftOut is a route of a rule in force that no request of this workload takes,
// whatever it looks like.
type LeftOut struct {
	Name, Field string
	Index, Line int
	Reasons     []string
}

// LeftOut tells the routes that compileRoutes drops, for people who wonder where
// they are.
func (p *Plan) LeftOut(v *VirtualHost) (out []LeftOut) {
	if v.source == nil {
		return nil
	}
	for i, spec := range v.source.Spec.Http {
		if slices.ContainsFunc(v.Routes, func(r *Route) bool { return r.Index == i }) {
			continue
		}
		field := fieldOf(i)
		out = append(out, LeftOut{or(spec.Name, field), field, i, v.source.LineOf(field), p.whyLeftOut(v, i)})
	}
	return out
}

func (p *Plan) whyLeftOut(v *VirtualHost, i int) (reasons []string) {
	spec, last := v.source.Spec.Http[i], v.Routes[len(v.Routes)-1]
	if i > last.Index && last.catchAll() {
		return []string{"it stands behind " + last.Name + ", which takes everything"}
	}
	for _, e := range p.expand(v.source, spec) {
		for _, m := range e.spec.Match {
			if why := p.excluded(m); why != "" {
				reasons = append(reasons, why)
			}
		}
	}
	if len(reasons) == 0 && spec.Delegate != nil {
		reasons = []string{fmt.Sprintf("delegate %s/%s: missing, not visible here, or without a route that goes with this one",
			or(spec.Delegate.Namespace, v.source.Namespace), spec.Delegate.Name)}
	}
	return reasons
}

func fieldOf(i int) string { return "spec.http[" + strconv.Itoa(i) + "]" }

// excluded says why a match leaves this workload out, "" if it does not. The
// fields that it looks at are fixed for the life of the process. A match that
// lists gateways is decided by them alone: Istio does not look at the labels
// then.
func (p *Plan) excluded(m *networking.HTTPMatchRequest) string {
	switch {
	case len(m.GetGateways()) > 0:
		if !slices.Contains(m.Gateways, "mesh") {
			return fmt.Sprintf("gateways %q: not mesh", m.Gateways)
		}
	case m.GetSourceNamespace() != "" && m.GetSourceNamespace() != p.workload.Namespace:
		return fmt.Sprintf("sourceNamespace %q: this workload's is %q", m.GetSourceNamespace(), p.workload.Namespace)
	case !SubsetOf(m.GetSourceLabels(), p.workload.Labels):
		return "sourceLabels " + p.missingLabel(m.GetSourceLabels())
	}
	return ""
}

// missingLabel is the first label that this workload has not.
func (p *Plan) missingLabel(want map[string]string) string {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if have, ok := p.workload.Labels[key]; !ok {
			return fmt.Sprintf("%s=%s: this workload has no such label", key, want[key])
		} else if have != want[key] {
			return fmt.Sprintf("%s=%s: this workload's is %q", key, want[key], have)
		}
	}
	return ""
}
