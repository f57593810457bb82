package rules

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// What inmesh adds to Istio's schema stands in annotations, so that the same
// file means to Istio what it always did.
const (
	// AnnotationBalancer on a DestinationRule names a load balancing algorithm
	// that Istio does not have, for the whole host. It takes the place of
	// LEAST_REQUEST, the default, and of no other.
	AnnotationBalancer = "inmesh/balancer"
	// PeakEWMA is its one value.
	PeakEWMA = "PEAK_EWMA"

	extensionPrefix = "inmesh/"

	// AnnotationDryRun on an AuthorizationPolicy is Istio's own: with a value that
	// strconv.ParseBool takes for true, the policy decides nothing, and what it
	// would have decided is recorded.
	AnnotationDryRun = "istio.io/dry-run"
)

// DryRun says that the object, an AuthorizationPolicy, is to be tried only.
func (m *Meta) DryRun() bool {
	dry, err := strconv.ParseBool(m.Annotations[AnnotationDryRun])
	return dry && err == nil
}

// validateExtensions refuses what inmesh would not understand: a typing error in
// an annotation must not pass for a setting.
func validateExtensions(c *checker) {
	for _, name := range slices.Sorted(maps.Keys(c.meta.Annotations)) {
		if !strings.HasPrefix(name, extensionPrefix) {
			continue
		}
		path, value := entry("metadata.annotations", name), c.meta.Annotations[name]
		switch {
		case name != AnnotationBalancer:
			c.invalid(path, "%q: there is no such annotation, only %s", value, AnnotationBalancer)
		case c.meta.Kind != "DestinationRule":
			c.invalid(path, "%q: it belongs on a DestinationRule", value)
		case value != PeakEWMA:
			c.invalid(path, "%q: want %s", value, PeakEWMA)
		}
	}
}
