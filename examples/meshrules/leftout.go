package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A routeLeftOut is one that no request of this caller can take. The mesh drops
// it when it reads the rules, so that it does not explain it.
type routeLeftOut struct {
	mesh.RouteExplanation
	reason string
}

// leftOut are the routes of the rule in force that the explanation does not
// mention, in order.
func (q question) leftOut(e mesh.Explanation, set *rules.Set) (out []routeLeftOut) {
	vs := ruleOf(e, set)
	if vs == nil {
		return nil
	}
	mentioned, last := map[string]bool{}, 0
	for _, r := range e.Routes {
		mentioned[r.Field], last = true, max(last, r.Line)
	}
	for i, route := range vs.Spec.Http {
		field := fmt.Sprintf("spec.http[%d]", i)
		if mentioned[field] {
			continue
		}
		l := routeLeftOut{mesh.RouteExplanation{Name: cmp.Or(route.Name, field), Field: field, Line: vs.LineOf(field)}, ""}
		if l.reason = q.whyNot(route); last > 0 && l.Line > last {
			l.reason = "no: stands behind one that takes everything"
		}
		out = append(out, l)
	}
	return out
}

func ruleOf(e mesh.Explanation, set *rules.Set) *rules.VirtualService {
	for _, vs := range set.VirtualServices {
		if e.Rule != nil && vs.Namespace == e.Rule.Namespace && vs.Name == e.Rule.Name {
			return vs
		}
	}
	return nil
}

// whyNot is what keeps the caller from a route, whatever it sends.
func (q question) whyNot(route *networking.HTTPRoute) string {
	var fails []string
	for _, m := range route.Match {
		if text := q.excluded(m); text != "" {
			fails = append(fails, text)
		}
	}
	if len(fails) == len(route.Match) && len(fails) > 0 {
		return failsOn(fails)
	}
	return "no: its delegate has no route for the caller"
}

// excluded is the first condition on the caller that does not hold, "" if all
// do. A match that lists gateways is decided by them alone.
func (q question) excluded(m *networking.HTTPMatchRequest) string {
	switch {
	case len(m.Gateways) > 0 && !slices.Contains(m.Gateways, "mesh"):
		return fmt.Sprintf("gateways %q: a caller within the mesh is of gateway mesh", m.Gateways)
	case len(m.Gateways) > 0:
		return ""
	case m.SourceNamespace != "" && m.SourceNamespace != q.namespace:
		return fmt.Sprintf("sourceNamespace %q", m.SourceNamespace)
	}
	for _, key := range slices.Sorted(maps.Keys(m.SourceLabels)) {
		if have, ok := q.labels[key]; !ok || have != m.SourceLabels[key] {
			return fmt.Sprintf("sourceLabels %s=%s", key, m.SourceLabels[key])
		}
	}
	return ""
}

// failsOn is why a route does not match: a condition of each of its matches.
func failsOn(conditions []string) string {
	return "no: fails on " + strings.Join(conditions, ", and on ")
}
