package plan

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"

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

	*basis
	*index
	set       *rules.Set
	services  []*Service // by the index's places
	peers     *peerView
	addresses *addressView
	virtual   []atomic.Pointer[VirtualHost] // by the index's places; nil: nobody has asked for the host
	asked     *asked
}

// A basis is what a plan depends on besides the rules.
type basis struct {
	names       namer
	workload    Workload
	root        string
	trustDomain string
}

func basisOf(o Options) *basis {
	o.Workload.Namespace = cmp.Or(o.Workload.Namespace, "default")
	return &basis{
		names:       namer{namespace: o.Workload.Namespace, suffix: ".svc." + cmp.Or(o.Domain, "cluster.local")},
		workload:    o.Workload,
		root:        cmp.Or(o.RootNamespace, "istio-system"),
		trustDomain: cmp.Or(o.TrustDomain.String(), "cluster.local"),
	}
}

func (b *basis) equal(other *basis) bool {
	mine, theirs := b.workload, other.workload
	return b.names == other.names && b.root == other.root && b.trustDomain == other.trustDomain &&
		mine.Service == theirs.Service && mine.Namespace == theirs.Namespace && mine.Locality == theirs.Locality &&
		maps.Equal(mine.Labels, theirs.Labels)
}

// Compile indexes the rules for one workload. A nil set means no rules.
func Compile(set *rules.Set, o Options) *Plan {
	b, none := basisOf(o), &rules.Set{}
	return compile(&Plan{set: none, index: newIndex(none, b)}, set, b)
}

// Recompile is Compile, at a price that goes by what has changed since before was
// compiled: an object that is the same, by its pointer, is not looked at again.
// Before stays as it is.
func Recompile(before *Plan, set *rules.Set, o Options) *Plan {
	b := basisOf(o)
	if !b.equal(before.basis) {
		return Compile(set, o)
	}
	return compile(before, set, before.basis)
}

// compile takes over what stands: the index if no object speaks of other hosts
// than before, and what was made of objects that are the same. Routes and
// clusters depend on objects of several kinds; they are made when they are first
// asked for, by each plan anew.
func compile(before *Plan, set *rules.Set, b *basis) *Plan {
	if set == nil {
		set = &rules.Set{}
	}
	p := &Plan{Version: set.Version, basis: b, index: before.index, set: set, peers: before.peers, addresses: before.addresses, asked: new(asked)}
	if !sameHeads(before.set, set) {
		p.index = newIndex(set, b)
	}
	if before.peers == nil || !slices.Equal(before.set.PeerAuthentications, set.PeerAuthentications) {
		p.peers = viewPeers(set, b.root)
	}
	if before.addresses == nil || p.index != before.index || !slices.Equal(before.set.ServiceEntries, set.ServiceEntries) {
		p.addresses = viewAddresses(p.serviceHosts, set.ServiceEntries)
	}
	p.compileServices(before)
	p.virtual = make([]atomic.Pointer[VirtualHost], len(p.hosts))
	return p
}

// Known reports whether any rule names the host, in any spelling, other than by
// a wildcard.
func (p *Plan) Known(name string) bool {
	_, ok := p.exact[normalize(name)]
	return ok
}

// visibility tells whether an object of namespace own, exported to the listed
// namespaces, is seen from namespace client, and how narrowly: 0 in its own
// namespace, 1 in another that is named, 2 public. "exportTo with same namespace is
// effectively private" (Istio), whoever else is named.
func visibility(exportTo []string, own, client string) (class int, ok bool) {
	if len(exportTo) == 0 || slices.Contains(exportTo, "*") {
		return 2, true
	}
	for _, to := range exportTo {
		if to == client || to == "." && own == client {
			return btoi(own != client), true
		}
	}
	return 0, false
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
