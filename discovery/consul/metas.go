package consul

import (
	"iter"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// metas are those of all objects.
func metas(s *rules.Set) iter.Seq[*rules.Meta] {
	return func(yield func(*rules.Meta) bool) {
		_ = each(s.VirtualServices, yield) && each(s.DestinationRules, yield) &&
			each(s.ServiceEntries, yield) && each(s.WorkloadEntries, yield) &&
			each(s.AuthorizationPolicies, yield) && each(s.PeerAuthentications, yield) &&
			each(s.RequestAuthentications, yield) && each(s.RateLimitPolicies, yield) &&
			each(s.Telemetries, yield)
	}
}

func each[S any](objects []*rules.Object[S], yield func(*rules.Meta) bool) bool {
	for _, o := range objects {
		if !yield(&o.Meta) {
			return false
		}
	}
	return true
}
