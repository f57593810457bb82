package rules

import (
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// A bound is the range of a number, both ends included.
type bound struct {
	low, high float64
	// floor is the smallest number above 0 that is accepted; 0: any.
	floor float64
}

var (
	notNegative = bound{high: math.MaxInt32}
	percent     = bound{high: 100}
	// Envoy rolls faults out of a million: less than 0.0001 % would be 0.
	faultPercent = bound{high: 100, floor: 0.0001}
	portNumber   = bound{low: 1, high: 65535}
)

// bounds holds the range of every number that has one, under its full name in
// Istio's API. A scalar that is 0 counts as absent and is never looked up.
var bounds = map[protoreflect.FullName]bound{
	"HTTPRouteDestination.weight":                                     notNegative,
	"RouteDestination.weight":                                         notNegative,
	"HTTPRetry.attempts":                                              notNegative,
	"HTTPMatchRequest.port":                                           portNumber,
	"L4MatchAttributes.port":                                          portNumber,
	"TLSMatchAttributes.port":                                         portNumber,
	"HTTPRedirect.port":                                               {high: 65535},
	"HTTPFaultInjection.Abort.percentage":                             faultPercent,
	"HTTPFaultInjection.Delay.percentage":                             faultPercent,
	"HTTPMirrorPolicy.percentage":                                     percent,
	"HTTPRoute.mirror_percentage":                                     percent,
	"HTTPRoute.mirror_percent":                                        percent,
	"ConnectionPoolSettings.TCPSettings.max_connections":              notNegative,
	"ConnectionPoolSettings.HTTPSettings.http1_max_pending_requests":  notNegative,
	"ConnectionPoolSettings.HTTPSettings.http2_max_requests":          notNegative,
	"ConnectionPoolSettings.HTTPSettings.max_requests_per_connection": notNegative,
	"ConnectionPoolSettings.HTTPSettings.max_retries":                 notNegative,
	"ConnectionPoolSettings.HTTPSettings.max_concurrent_streams":      notNegative,
	"OutlierDetection.max_ejection_percent":                           percent,
	"OutlierDetection.min_health_percent":                             percent,
	"OutlierDetection.outlier_detection_http_error_codes":             {low: 100, high: 599},
	"WarmupConfiguration.minimum_percent":                             percent,
	"ZoneAwareLoadBalancerSetting.min_cluster_size":                   {low: 1, high: math.MaxUint32},
	"LocalityLoadBalancerSetting.Distribute.to":                       {low: 1, high: 100},
	"TrafficPolicy.RetryBudget.percent":                               percent,
	"Tracing.random_sampling_percentage":                              percent,
	"ServicePort.target_port":                                         portNumber,
	"WorkloadEntry.ports":                                             portNumber,
}

// shortName is a field's name in these tables: without the package.
func shortName(fd protoreflect.FieldDescriptor) protoreflect.FullName {
	name, pkg := string(fd.FullName()), string(fd.ParentFile().Package())
	return protoreflect.FullName(strings.TrimPrefix(name, pkg+"."))
}

func checkBound(c *checker, path string, fd protoreflect.FieldDescriptor, number float64) {
	b, ok := bounds[shortName(fd)]
	if ok && !b.holds(number) {
		c.invalid(path, "%s: want %s", show(number), b)
	}
}

// warnZero warns of a 0 that says nothing, though it looks like the least there is:
// it is what the field is without it.
func warnZero[N int32 | uint32](c *checker, path string, number N, otherwise string) {
	if number == 0 && c.written(path) {
		c.warn(path, "0 counts as not written: %s", otherwise)
	}
}

// holds is false for NaN, which the JSON form of a double admits.
func (b bound) holds(number float64) bool {
	if number > 0 && number < b.floor {
		return false
	}
	return number >= b.low && number <= b.high
}

// String is how a message names the bound: "0 or more", "1 to 65535".
func (b bound) String() string {
	switch {
	case b.high == math.MaxInt32 || b.high == math.MaxUint32:
		return show(b.low) + " or more"
	case b.floor > 0:
		return "0 or " + show(b.floor) + " to " + show(b.high)
	}
	return show(b.low) + " to " + show(b.high)
}

func show(number float64) string { return strconv.FormatFloat(number, 'f', -1, 64) }

// numberOf is the number in a scalar, in one of protobuf's wrappers of a
// scalar, or in a Percent.
func numberOf(v protoreflect.Value) (float64, bool) {
	switch v := v.Interface().(type) {
	case int32:
		return float64(v), true
	case uint32:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	case protoreflect.Message:
		return wrapped(v)
	}
	return 0, false
}

func wrapped(m protoreflect.Message) (float64, bool) {
	value := m.Descriptor().Fields().ByName("value")
	if value == nil || m.Descriptor().Fields().Len() > 1 {
		return 0, false
	}
	return numberOf(m.Get(value))
}
