package plan

import (
	"cmp"
	"slices"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// Workload is who the calling process is; rules may select by it.
type Workload struct {
	Service   string
	Namespace string // default "default"
	Labels    map[string]string
	Locality  discovery.Locality
}

// Options are what rules mean beyond their own text.
type Options struct {
	Workload      Workload
	Domain        string // of cluster-local hosts; default "cluster.local"
	RootNamespace string // whose DestinationRules hold for all; default "istio-system"
	// TrustDomain is that of the mesh: service accounts that rules name are of it;
	// default "cluster.local".
	TrustDomain tlsid.TrustDomain
}

// A Plan is one version of the rules, ready for requests.
type Plan struct {
	Version string

	names     namer
	workload  Workload
	root      string
	exact     map[string]*host // every spelling of every host that has no wildcard
	wild      wildcards[*host]
	wildRules wildcards[[]*rules.VirtualService] // those wildcard hosts that have rules
	delegates map[objectName]*rules.VirtualService
	policies  policyIndex
	peers     *peerView
	services  map[string]*Service // by canonical host, wildcards included

	wildServices wildcards[*Service] // those of them that are wildcards
}

type objectName struct{ namespace, name string }

// Compile indexes the rules for one workload. A nil set means no rules.
func Compile(set *rules.Set, o Options) *Plan {
	if set == nil {
		set = &rules.Set{}
	}
	o.Workload.Namespace = cmp.Or(o.Workload.Namespace, "default")
	p := &Plan{
		Version:   set.Version,
		workload:  o.Workload,
		root:      cmp.Or(o.RootNamespace, "istio-system"),
		names:     namer{namespace: o.Workload.Namespace, suffix: ".svc." + cmp.Or(o.Domain, "cluster.local")},
		delegates: map[objectName]*rules.VirtualService{},
	}
	p.services = compileServices(set, p.names, p.workload.Namespace, cmp.Or(o.TrustDomain.String(), "cluster.local"))
	p.wildServices = wildcardsOf(p.services)
	p.policies = indexPolicies(set.DestinationRules, p.names, p.workload, p.root)
	p.peers = viewPeers(set, p.root)
	p.indexHosts(set)
	return p
}

// indexHosts makes every host that a rule names findable under every spelling.
func (p *Plan) indexHosts(set *rules.Set) {
	hosts := make(map[string]*host, len(p.services)+len(set.VirtualServices))
	get := func(name string) *host {
		h := hosts[name]
		if h == nil {
			h = &host{name: name, service: p.serviceOf(name)}
			hosts[name] = h
		}
		return h
	}
	for name := range p.services {
		get(name)
	}
	for name := range p.policies.hosts {
		get(name)
	}
	for _, vs := range p.visible(set.VirtualServices) {
		for _, name := range vs.Spec.Hosts {
			h := get(p.names.canonical(name, vs.Namespace))
			if n := len(h.rules); n == 0 || h.rules[n-1] != vs { // a rule may spell a host in two ways
				h.rules = append(h.rules, vs)
			}
		}
	}
	p.spell(hosts)
}

// visible returns the virtual services that this workload obeys, those of
// narrower visibility first: a private rule of the own namespace, then one
// exported to it by name, then a public one; each class in creation order.
func (p *Plan) visible(all []*rules.VirtualService) []*rules.VirtualService {
	classes := [3][]*rules.VirtualService{}
	for _, vs := range all {
		if len(vs.Spec.Hosts) == 0 {
			p.delegates[objectName{vs.Namespace, vs.Name}] = vs
			continue
		}
		if g := vs.Spec.Gateways; len(g) > 0 && !slices.Contains(g, "mesh") {
			continue
		}
		if class, ok := visibility(vs.Spec.ExportTo, vs.Namespace, p.workload.Namespace); ok {
			classes[class] = append(classes[class], vs)
		}
	}
	return slices.Concat(classes[0], classes[1], classes[2])
}

// visibility tells whether an object of namespace own, exported to the listed
// namespaces, is seen from namespace client, and how narrowly: 0 private to the
// own namespace, 1 exported by name, 2 public.
func visibility(exportTo []string, own, client string) (class int, ok bool) {
	if len(exportTo) == 0 || slices.Contains(exportTo, "*") {
		return 2, true
	}
	for _, to := range exportTo {
		if to == "." {
			to = own
		}
		if to == client && own == client && len(exportTo) == 1 {
			return 0, true
		}
		if to == client {
			return 1, true
		}
	}
	return 0, false
}

// spell enters each host under all names that callers may use for it. A literal
// host wins over another host's short form of the same spelling.
func (p *Plan) spell(hosts map[string]*host) {
	p.exact = make(map[string]*host, 4*len(hosts))
	for name, h := range hosts {
		if suffix, ok := wildcardSuffix(name); !ok {
			p.exact[name] = h
		} else if p.wild.add(suffix, h); len(h.rules) > 0 {
			p.wildRules.add(suffix, h.rules)
		}
	}
	p.wild.sort()
	p.wildRules.sort()
	for name, h := range hosts { // no two hosts have an alias in common
		for _, alias := range p.names.aliases(name) {
			if _, taken := p.exact[alias]; !taken && alias != "" {
				p.exact[alias] = h
			}
		}
	}
}

// Known reports whether any rule names the host, in any spelling, other than by
// a wildcard.
func (p *Plan) Known(name string) bool {
	_, ok := p.exact[normalize(name)]
	return ok
}
