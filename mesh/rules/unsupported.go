package rules

import "google.golang.org/protobuf/reflect/protoreflect"

func noEffect(reason string) fate { return fate{Warning, "has no effect in a process: " + reason} }

func ineffective(reason string) fate { return fate{Warning, "has no effect: " + reason} }

func notYet(reason string) fate { return fate{Refused, "not yet enforced by inmesh: " + reason} }

var forGateways = noEffect("a policy with a target is for gateways and waypoints only, and left out here")

// unsupported lists, under their names in Istio's API, the fields that are not
// enforced whatever their value: with a Warning they have no effect, with
// Refused the object is not used, because to drop the field would send traffic
// elsewhere or remove a protection. Fields of which only some values are not
// enforced stand in the validator of their message.
var unsupported = map[protoreflect.FullName]fate{
	"VirtualService.tls":              noEffect("TLS that a client brings of its own is not looked into; connections of Mesh.DialContext go by tcp"),
	"L4MatchAttributes.source_subnet": ineffective("Istio's sidecars do not implement it either"),
	"HTTPMatchRequest.stat_prefix":    noEffect("it names statistics of Envoy"),
	"HTTPRoute.cors_policy":           {Warning, "has no effect: Mesh.Handler adds no CORS headers and answers no preflight, which is left to the application"},

	"TrafficPolicy.tunnel":              notYet("refusing rather than connecting without the tunnel"),
	"TrafficPolicy.proxy_protocol":      notYet("refusing rather than connecting without the PROXY header"),
	"ClientTLSSettings.credential_name": {Refused, "needs a secret service: refusing rather than sending plaintext; name files instead"},

	"OutlierDetection.consecutive_errors":                 ineffective("deprecated, Istio ignores it too; use consecutive5xxErrors or consecutiveGatewayErrors"),
	"OutlierDetection.outlier_detection_http_error_codes": ineffective("Istio does not use it either"),
	"LoadBalancerSettings.zone_aware_lb_setting":          {Warning, "enforced in part: endpoints fail over from region to region; within one, zones are alike"},

	"AuthorizationPolicy.targetRef":    forGateways,
	"AuthorizationPolicy.targetRefs":   forGateways,
	"RequestAuthentication.targetRef":  forGateways,
	"RequestAuthentication.targetRefs": forGateways,

	"Telemetry.targetRef":                       forGateways,
	"Telemetry.targetRefs":                      forGateways,
	"Tracing.use_request_id_for_trace_sampling": noEffect("traces are sampled by their own context, not by x-request-id"),
	"Tracing.CustomTag.formatter":               {Warning, "not yet supported by inmesh: the tag is left out"},

	"ServiceEntry.addresses": {Warning, "looked at by Mesh.DialContext alone: an HTTP or gRPC client names the host"},
	"WorkloadEntry.network":  {Warning, "not reached through a network gateway: the endpoint is used only if its network is the caller's own"},
}

// deprecated lists the fields that are enforced and have a better successor.
var deprecated = map[protoreflect.FullName]string{
	"HTTPRoute.mirror_percent":                                "mirrorPercentage",
	"HTTPFaultInjection.Delay.percent":                        "percentage",
	"LoadBalancerSettings.ConsistentHashLB.minimum_ring_size": "ringHash.minimumRingSize",
}

func checkUnsupported(c *checker, path string, fd protoreflect.FieldDescriptor) {
	name := shortName(fd)
	if successor, ok := deprecated[name]; ok {
		c.warn(path, "deprecated: use %s", successor)
	}
	v, ok := unsupported[name]
	switch {
	case !ok:
	case v.severity == Refused:
		c.refuse(path, "%s", v.reason)
	default:
		c.warn(path, "%s", v.reason)
	}
}
