package main

import (
	"cmp"
	"fmt"

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
func leftOut(e mesh.Explanation, set *rules.Set) (out []routeLeftOut) {
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
		l := routeLeftOut{mesh.RouteExplanation{Name: cmp.Or(route.Name, field), Field: field, Line: vs.LineOf(field)}, notForCaller}
		if last > 0 && l.Line > last {
			l.reason = behindAll
		}
		out = append(out, l)
	}
	return out
}

const (
	notForCaller = "no: not for this caller (sourceLabels, sourceNamespace, gateways), or its delegate has no route"
	behindAll    = "no: stands behind one that takes everything"
)

func ruleOf(e mesh.Explanation, set *rules.Set) *rules.VirtualService {
	for _, vs := range set.VirtualServices {
		if e.Rule != nil && vs.Namespace == e.Rule.Namespace && vs.Name == e.Rule.Name {
			return vs
		}
	}
	return nil
}
