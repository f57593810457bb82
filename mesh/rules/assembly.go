package rules

import (
	"cmp"
	"fmt"
	"slices"
)

// An identity is what may exist once.
type identity struct{ kind, namespace, name string }

func identityOf(m member) identity {
	meta := m.meta()
	return identity{meta.Kind, meta.Namespace, meta.Name}
}

// An assembly puts the objects of all files together.
type assembly struct {
	set    Set
	faults Faults
	places map[identity]*Meta
}

func (a *assembly) add(members []member) {
	for _, m := range members {
		meta := m.meta()
		id := identityOf(m)
		if first := a.places[id]; first != nil {
			a.faults = append(a.faults, meta.fault(Invalid,
				fmt.Sprintf("defined twice, first at %s:%d", first.File, first.Line)))
			continue
		}
		a.places[id] = meta
		a.set.add(m)
	}
}

// finish sorts, and adds what is wrong between the objects.
func (a *assembly) finish() (*Set, Faults) {
	s := &a.set
	slices.SortFunc(s.VirtualServices, istioOrder)
	slices.SortFunc(s.DestinationRules, istioOrder)
	slices.SortFunc(s.ServiceEntries, istioOrder)
	slices.SortFunc(s.WorkloadEntries, istioOrder)
	slices.SortFunc(s.AuthorizationPolicies, istioOrder)
	slices.SortFunc(s.PeerAuthentications, istioOrder)
	slices.SortFunc(s.RequestAuthentications, istioOrder)
	slices.SortFunc(s.RateLimitPolicies, istioOrder)
	slices.SortFunc(s.Telemetries, istioOrder)
	return s, inOrder(append(a.faults, validateSet(s, a.lacks)...))
}

// lacks says that an object of the kind may be missing, because it could not be read.
func (a *assembly) lacks(kind string) bool {
	return slices.ContainsFunc(a.faults, func(f Fault) bool {
		return f.Severity == Invalid && (f.Kind == kind || f.Kind == "") && a.places[identity{f.Kind, f.Namespace, f.Name}] == nil
	})
}

// istioOrder decides which of several rules for one thing is the first: Istio
// sorts by creation time, then name, then namespace.
func istioOrder[M member](a, b M) int {
	x, y := a.meta(), b.meta()
	return cmp.Or(x.Created.Compare(y.Created), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Namespace, y.Namespace))
}
