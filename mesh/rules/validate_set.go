package rules

import (
	"fmt"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// validateSet returns warnings on what several objects say together. Whether a
// client sees an object depends on its namespace, which is not known here: a
// warning is given where it holds for every client that sees the objects named.
// Nothing is said to be missing of a kind of which the set lacks objects.
func validateSet(s *Set, lacks func(kind string) bool) Faults {
	var missing Faults
	if !lacks("VirtualService") {
		missing = slices.Concat(warnDelegates(s.VirtualServices), warnRoutes(s.RateLimitPolicies, s.VirtualServices))
	}
	if !lacks("DestinationRule") {
		missing = append(missing, warnSubsets(s)...)
	}
	return slices.Concat(missing,
		warnHosts(ofMesh(s.VirtualServices), func(a, b *VirtualService) bool { return false }),
		warnHosts(s.ServiceEntries, SameService),
		warnPolicies(s.DestinationRules),
		warnPeers(s.PeerAuthentications),
		warnLimits(s.RateLimitPolicies),
		warnTelemetries(s.Telemetries),
	)
}

// warning is a Fault at a field of o.
func warning[S any](o *Object[S], path, format string, args ...any) Fault {
	f := o.Meta.fault(Warning, fmt.Sprintf(format, args...))
	f.Field, f.Line = path, o.LineOf(path)
	return f
}

// resolve expands a short name as Istio does, with the namespace of the rule
// that it stands in, and folds case. The cluster's domain is taken to be
// cluster.local.
func resolve(host, namespace string) string {
	if !strings.ContainsAny(host, ".:") && !isWild(host) { // an IP has dots or colons
		host += "." + namespace + ".svc.cluster.local"
	}
	return strings.ToLower(host)
}

// A claim is what is said of its hosts by a VirtualService or a ServiceEntry.
type claim interface {
	comparable
	GetHosts() []string
	GetExportTo() []string
}

// warnHosts names hosts that more than one object claims, and that are not merged.
func warnHosts[S claim](objects []*Object[S], merged func(a, b *Object[S]) bool) (faults Faults) {
	claims := map[string][]*Object[S]{}
	for _, o := range objects {
		for i, host := range o.Spec.GetHosts() {
			name := resolve(host, o.Namespace)
			if owner := rival(o, claims[name]); owner != nil && !merged(owner, o) {
				faults = append(faults, warning(o, nth("spec.hosts", i),
					"%q is a host of %s %s/%s too: they are not merged, the one that comes first has the host alone",
					host, owner.Kind, owner.Namespace, owner.Name))
			}
			claims[name] = append(claims[name], o)
		}
	}
	return faults
}

// SameService reports whether two ServiceEntries make one service of a host that both
// name, as in Istio: they stand in one namespace, are for the same others and find
// and trust their endpoints in one way. The service has the ports of both, and each
// port the endpoints of those that have it.
func SameService(a, b *ServiceEntry) bool {
	return a.Namespace == b.Namespace && Alike(a.Spec, b.Spec) &&
		slices.Equal(exports(a.Namespace, a.Spec.ExportTo), exports(b.Namespace, b.Spec.ExportTo))
}

// Alike reports whether two ServiceEntries find and trust their endpoints in one way.
// One without ports takes any, and is like others without alone.
func Alike(a, b *networking.ServiceEntry) bool {
	return a.Resolution == b.Resolution && a.Location == b.Location && slices.Equal(a.SubjectAltNames, b.SubjectAltNames) &&
		(len(a.Ports) == 0) == (len(b.Ports) == 0)
}

// ofMesh are those that have an effect in a process.
func ofMesh(services []*VirtualService) (out []*VirtualService) {
	for _, vs := range services {
		if meshBound(vs.Spec.Gateways) {
			out = append(out, vs)
		}
	}
	return out
}

// rival is the first of the earlier ones that some client sees beside o.
func rival[S claim](o *Object[S], earlier []*Object[S]) *Object[S] {
	for _, e := range earlier {
		if e != o && seenTogether(o.Meta, o.Spec.GetExportTo(), e.Meta, e.Spec.GetExportTo()) {
			return e
		}
	}
	return nil
}

// seenTogether reports whether some namespace sees both of two objects.
func seenTogether(a Meta, aTo []string, b Meta, bTo []string) bool {
	both := func(namespace string) bool {
		return namespace != "." && namespace != "~" && exported(a, aTo, namespace) && exported(b, bTo, namespace)
	}
	return both("") || both(a.Namespace) || both(b.Namespace) || slices.ContainsFunc(aTo, both)
}

// exported reports whether an object is visible in namespace; "" is any
// namespace that nobody names.
func exported(m Meta, exportTo []string, namespace string) bool {
	return len(exportTo) == 0 || slices.Contains(exportTo, "*") || slices.Contains(exportTo, namespace) ||
		m.Namespace == namespace && slices.Contains(exportTo, ".")
}

// warnDelegates names delegates that are missing, and those nobody asks for.
func warnDelegates(services []*VirtualService) (faults Faults) {
	delegates, used := map[string]*VirtualService{}, map[string]bool{}
	for _, vs := range services {
		if len(vs.Spec.Hosts) == 0 {
			delegates[vs.Namespace+"/"+vs.Name] = vs
		}
	}
	for _, vs := range services {
		if len(vs.Spec.Hosts) > 0 && meshBound(vs.Spec.Gateways) {
			faults = append(faults, warnDropped(vs, delegates, used)...)
		}
	}
	for _, vs := range services {
		if name := vs.Namespace + "/" + vs.Name; delegates[name] == vs && !used[name] {
			faults = append(faults, warning(vs, "spec", "has no effect: it has no hosts, and no VirtualService of the mesh delegates to it"))
		}
	}
	return faults
}

// warnDropped names routes of vs whose delegate is missing, and notes those that
// it uses.
func warnDropped(vs *VirtualService, delegates map[string]*VirtualService, used map[string]bool) (faults Faults) {
	for i, route := range vs.Spec.Http {
		if route.Delegate == nil {
			continue
		}
		name := delegateName(route.Delegate, vs.Namespace)
		used[name] = true
		if d := delegates[name]; d == nil || !exported(d.Meta, d.Spec.ExportTo, vs.Namespace) {
			faults = append(faults, warning(vs, nth("spec.http", i)+".delegate",
				"the route is dropped: there is no VirtualService %s without hosts that is exported to namespace %q", name, vs.Namespace))
		}
	}
	return faults
}

func delegateName(d *networking.Delegate, namespace string) string {
	if d.Namespace != "" {
		namespace = d.Namespace
	}
	return namespace + "/" + d.Name
}

func definesSubset(dr *DestinationRule, name string) bool {
	return slices.ContainsFunc(dr.Spec.Subsets, func(s *networking.Subset) bool { return s.Name == name })
}
