package rules

import (
	"maps"
	"slices"

	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"
)

// claimsAs says that validateSet finds the same in o as in another version of
// it. It must look at all that validateSet looks at.
func (o *Object[S]) claimsAs(other member) bool {
	switch spec := any(o.Spec).(type) {
	case *networking.VirtualService:
		return sameRoutes(spec, other.(*VirtualService).Spec)
	case *networking.DestinationRule:
		return samePolicies(spec, other.(*DestinationRule).Spec)
	case *networking.ServiceEntry:
		return sameServices(spec, other.(*ServiceEntry).Spec)
	case *security.PeerAuthentication:
		return maps.Equal(spec.GetSelector().GetMatchLabels(), other.(*PeerAuthentication).Spec.GetSelector().GetMatchLabels())
	case *telemetry.Telemetry:
		return general(spec) == general(other.(*Telemetry).Spec)
	case *RateLimit:
		return spec.TargetRef == other.(*RateLimitPolicy).Spec.TargetRef
	}
	return true
}

// sameRoutes compares who sees which hosts, and where their routes lead.
func sameRoutes(a, b *networking.VirtualService) bool {
	return a == b || slices.Equal(a.Hosts, b.Hosts) && slices.Equal(a.ExportTo, b.ExportTo) &&
		meshBound(a.Gateways) == meshBound(b.Gateways) &&
		slices.EqualFunc(a.Http, b.Http, func(x, y *networking.HTTPRoute) bool {
			return x.Name == y.Name && (x.Delegate == nil) == (y.Delegate == nil) && x.Delegate.GetName() == y.Delegate.GetName() &&
				x.Delegate.GetNamespace() == y.Delegate.GetNamespace()
		}) &&
		slices.EqualFunc(slices.Collect(targets(a)), slices.Collect(targets(b)), func(x, y target) bool {
			return x.path() == y.path() && x.Host == y.Host && x.Subset == y.Subset
		})
}

// sameServices compares who sees which hosts, and what entries they are merged with.
func sameServices(a, b *networking.ServiceEntry) bool {
	return a == b || slices.Equal(a.Hosts, b.Hosts) && slices.Equal(a.ExportTo, b.ExportTo) && Alike(a, b)
}

// samePolicies compares what is merged with other rules for the host.
func samePolicies(a, b *networking.DestinationRule) bool {
	return a == b || a.Host == b.Host && (a.TrafficPolicy == nil) == (b.TrafficPolicy == nil) &&
		(a.WorkloadSelector == nil) == (b.WorkloadSelector == nil) && slices.Equal(a.ExportTo, b.ExportTo) &&
		maps.Equal(a.GetWorkloadSelector().GetMatchLabels(), b.GetWorkloadSelector().GetMatchLabels()) &&
		slices.EqualFunc(a.Subsets, b.Subsets, func(x, y *networking.Subset) bool { return x.Name == y.Name })
}
