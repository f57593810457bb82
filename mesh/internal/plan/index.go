package plan

import (
	"slices"

	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// An index says which objects of a set speak of which hosts, by their places in
// the set. It does not know what they say: it stands for as long as every object
// has the head that it had, and an edit of a route or a policy costs no look at
// all the others.
type index struct {
	hosts     []host
	exact     map[string]int   // every spelling of every host that has no wildcard → its place in hosts
	wild      wildcards[int]   // → its place in hosts
	wildRules wildcards[[]int] // those wildcard hosts that have rules → the rules' places in the set
	delegates map[objectName]int
	policies  policyIndex

	serviceHosts  []serviceHost
	servicePlaces map[string]int // canonical host, wildcards included → its place in serviceHosts
	wildServices  wildcards[int] // those of them that are wildcards
}

type objectName struct{ namespace, name string }

// A host is a name that rules know.
type host struct {
	name  string
	rules []int // places of the VirtualServices that name it, in order of precedence
}

// newIndex makes every host that a rule names findable under every spelling.
func newIndex(set *rules.Set, b *basis) *index {
	ix := &index{delegates: map[objectName]int{}}
	ix.serviceHosts, ix.servicePlaces = serviceHosts(set.ServiceEntries, b)
	ix.wildServices = wildcardsOf(ix.servicePlaces)
	ix.policies = indexPolicies(set.DestinationRules, b)
	places := make(map[string]int, len(ix.serviceHosts)+len(set.VirtualServices))
	get := func(name string) *host {
		i, ok := places[name]
		if !ok {
			i = len(ix.hosts)
			places[name], ix.hosts = i, append(ix.hosts, host{name: name})
		}
		return &ix.hosts[i]
	}
	for _, s := range ix.serviceHosts {
		get(s.name)
	}
	for _, name := range ix.policies.hosts {
		get(name)
	}
	for _, i := range ix.visible(set.VirtualServices, b) {
		vs := set.VirtualServices[i]
		for _, name := range vs.Spec.Hosts {
			h := get(b.names.canonical(name, vs.Namespace))
			if n := len(h.rules); n == 0 || h.rules[n-1] != i { // a rule may spell a host in two ways
				h.rules = append(h.rules, i)
			}
		}
	}
	ix.spell(b.names)
	return ix
}

// visible are the places of the virtual services that a workload obeys, those of
// narrower visibility first: a private rule of the own namespace, then one
// exported to it by name, then a public one; each class in creation order.
func (ix *index) visible(all []*rules.VirtualService, b *basis) []int {
	classes := [3][]int{}
	for i, vs := range all {
		if len(vs.Spec.Hosts) == 0 {
			ix.delegates[objectName{vs.Namespace, vs.Name}] = i
			continue
		}
		if g := vs.Spec.Gateways; len(g) > 0 && !slices.Contains(g, "mesh") {
			continue
		}
		if class, ok := visibility(vs.Spec.ExportTo, vs.Namespace, b.workload.Namespace); ok {
			classes[class] = append(classes[class], i)
		}
	}
	return slices.Concat(classes[0], classes[1], classes[2])
}

// spell enters each host under all names that callers may use for it. A literal
// host wins over another host's short form of the same spelling.
func (ix *index) spell(names namer) {
	ix.exact = make(map[string]int, 4*len(ix.hosts))
	for i, h := range ix.hosts {
		if suffix, ok := wildcardSuffix(h.name); !ok {
			ix.exact[h.name] = i
		} else if ix.wild.add(suffix, i); len(h.rules) > 0 {
			ix.wildRules.add(suffix, h.rules)
		}
	}
	ix.wild.sort()
	ix.wildRules.sort()
	for i, h := range ix.hosts { // no two hosts have an alias in common
		for _, alias := range names.aliases(h.name) {
			if _, taken := ix.exact[alias]; !taken && alias != "" {
				ix.exact[alias] = i
			}
		}
	}
}

// sameHeads says that an index of one set is one of the other.
func sameHeads(a, b *rules.Set) bool {
	return equalHeads(a.VirtualServices, b.VirtualServices, func(x, y *networking.VirtualService) bool {
		return slices.Equal(x.Hosts, y.Hosts) && slices.Equal(x.Gateways, y.Gateways) && slices.Equal(x.ExportTo, y.ExportTo)
	}) && equalHeads(a.DestinationRules, b.DestinationRules, func(x, y *networking.DestinationRule) bool {
		return x.Host == y.Host && slices.Equal(x.ExportTo, y.ExportTo) && proto.Equal(x.WorkloadSelector, y.WorkloadSelector)
	}) && equalHeads(a.ServiceEntries, b.ServiceEntries, func(x, y *networking.ServiceEntry) bool {
		return slices.Equal(x.Hosts, y.Hosts) && slices.Equal(x.ExportTo, y.ExportTo) && rules.Alike(x, y)
	})
}

// equalHeads compares what newIndex looks at: who the objects are, and, in same, what
// of their specs says whom they are for. An object that only moved to another
// line has the same Spec, by its pointer.
func equalHeads[S comparable](a, b []*rules.Object[S], same func(x, y S) bool) bool {
	return slices.EqualFunc(a, b, func(x, y *rules.Object[S]) bool {
		return x == y || x.Namespace == y.Namespace && x.Name == y.Name && (x.Spec == y.Spec || same(x.Spec, y.Spec))
	})
}
