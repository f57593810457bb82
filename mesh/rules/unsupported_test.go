package rules_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"
)

// enforced are the fields, by message, that are enforced or checked value by
// value. With those of which the package says that they have no effect or are
// refused, they are all the fields of the supported kinds: a field that a new
// version of Istio's API brings must be put on one side or the other.
const enforced = `
VirtualService: hosts gateways http tcp export_to
TCPRoute: match route
L4MatchAttributes: destination_subnets port source_labels gateways source_namespace
RouteDestination: destination weight
HTTPRoute: name match route redirect direct_response delegate rewrite timeout retries fault mirror mirrors mirror_percent mirror_percentage headers
HTTPMatchRequest: name uri scheme method authority headers port source_labels gateways query_params ignore_uri_case without_headers source_namespace
HTTPRouteDestination: destination weight headers
Destination: host subset port
PortSelector: number
Headers: request response
Headers.HeaderOperations: set add remove
StringMatch: exact prefix regex
HTTPRedirect: uri authority port derive_port scheme redirect_code prefix_rewrite
HTTPDirectResponse: status body
HTTPBody: string bytes
Delegate: name namespace
HTTPRewrite: uri authority uri_regex_rewrite
RegexRewrite: match rewrite
HTTPRetry: attempts per_try_timeout retry_on retry_remote_localities retry_ignore_previous_hosts backoff
HTTPFaultInjection: delay abort
HTTPFaultInjection.Delay: percent fixed_delay exponential_delay percentage
HTTPFaultInjection.Abort: http_status grpc_status http2_error percentage
HTTPMirrorPolicy: destination percentage
Percent: value
DestinationRule: host traffic_policy subsets export_to workload_selector
Subset: name labels traffic_policy
TrafficPolicy: load_balancer connection_pool outlier_detection tls port_level_settings retry_budget
TrafficPolicy.PortTrafficPolicy: port load_balancer connection_pool outlier_detection tls
TrafficPolicy.RetryBudget: percent min_retry_concurrency budget_interval
ConnectionPoolSettings: tcp http
ConnectionPoolSettings.TCPSettings: max_connections connect_timeout tcp_keepalive max_connection_duration idle_timeout
ConnectionPoolSettings.TCPSettings.TcpKeepalive: probes time interval
ConnectionPoolSettings.HTTPSettings: http1_max_pending_requests http2_max_requests max_requests_per_connection max_retries idle_timeout h2_upgrade_policy use_client_protocol max_concurrent_streams http2_keep_alive
ConnectionPoolSettings.HTTPSettings.ConnectionKeepalive: interval timeout
LoadBalancerSettings: simple consistent_hash locality_lb_setting warmup_duration_secs warmup
LoadBalancerSettings.ConsistentHashLB: http_header_name http_cookie use_source_ip http_query_parameter_name ring_hash maglev minimum_ring_size
LoadBalancerSettings.ConsistentHashLB.HTTPCookie: name path ttl attributes
LoadBalancerSettings.ConsistentHashLB.HTTPCookie.Attribute: name value
LoadBalancerSettings.ConsistentHashLB.RingHash: minimum_ring_size
LoadBalancerSettings.ConsistentHashLB.MagLev: table_size
WarmupConfiguration: duration minimum_percent aggression
LocalityLoadBalancerSetting: distribute failover failover_priority enabled
LocalityLoadBalancerSetting.Distribute: from to
LocalityLoadBalancerSetting.Failover: from to
OutlierDetection: split_external_local_origin_errors consecutive_local_origin_failures consecutive_gateway_errors consecutive_5xx_errors interval base_ejection_time max_ejection_percent min_health_percent
ClientTLSSettings: mode client_certificate private_key ca_certificates subject_alt_names sni insecure_skip_verify ca_crl
ServiceEntry: hosts ports location resolution endpoints workload_selector export_to subject_alt_names
ServicePort: number protocol name target_port
WorkloadSelector: labels
WorkloadEntry: address ports labels locality weight service_account
AuthorizationPolicy: selector rules action provider
AuthorizationPolicy.ExtensionProvider: name
Rule: from to when
Rule.From: source
Rule.To: operation
Source: principals not_principals request_principals not_request_principals namespaces not_namespaces service_accounts not_service_accounts ip_blocks not_ip_blocks remote_ip_blocks not_remote_ip_blocks trust_domains not_trust_domains
Operation: hosts not_hosts ports not_ports methods not_methods paths not_paths
Condition: key values not_values
PeerAuthentication: selector mtls port_level_mtls
PeerAuthentication.MutualTLS: mode
RequestAuthentication: selector jwt_rules
JWTRule: issuer audiences jwks_uri jwks from_headers from_params output_payload_to_header from_cookies forward_original_token output_claim_to_headers timeout space_delimited_claims
JWTHeader: name prefix
ClaimToHeader: header claim
Telemetry: selector tracing metrics access_logging
Tracing: match providers random_sampling_percentage disable_span_reporting custom_tags enable_istio_tags disable_context_propagation
Tracing.TracingSelector: mode
Tracing.CustomTag: literal environment header
Tracing.Literal: value
Tracing.Environment: name default_value
Tracing.RequestHeader: name default_value
ProviderRef: name
Metrics: providers overrides reporting_interval
MetricSelector: metric custom_metric mode
MetricsOverrides: match disabled tag_overrides
MetricsOverrides.TagOverride: operation value
AccessLogging: match providers disabled filter
AccessLogging.LogSelector: mode
AccessLogging.Filter: expression
`

// notEnforced are the fields of which every use is reported, each with YAML
// that writes it.
var notEnforced = map[string]string{
	"VirtualService.tls":                                  virtualService(`hosts: [a], tls: [{match: [{sniHosts: [a]}], route: [{destination: {host: a}}]}]`),
	"L4MatchAttributes.source_subnet":                     virtualService(`hosts: [a], tcp: [{match: [{sourceSubnet: 10.0.0.0/8}], route: [{destination: {host: a}}]}]`),
	"HTTPRoute.cors_policy":                               forward(`corsPolicy: {}`),
	"HTTPMatchRequest.stat_prefix":                        match(`statPrefix: x`),
	"TrafficPolicy.tunnel":                                policy(`tunnel: {targetHost: a, targetPort: 1}`),
	"TrafficPolicy.proxy_protocol":                        policy(`proxyProtocol: {}`),
	"LoadBalancerSettings.zone_aware_lb_setting":          policy(`loadBalancer: {zoneAwareLbSetting: {}}`),
	"OutlierDetection.consecutive_errors":                 policy(`outlierDetection: {consecutiveErrors: 1}`),
	"OutlierDetection.outlier_detection_http_error_codes": policy(`outlierDetection: {outlierDetectionHttpErrorCodes: [500]}`),
	"ClientTLSSettings.credential_name":                   policy(`tls: {credentialName: x}`),
	"ServiceEntry.addresses":                              serviceEntry(`hosts: [a.com], addresses: [10.0.0.1]`),
	"AuthorizationPolicy.targetRef":                       authorization(`targetRef: {kind: Service, name: a}`),
	"AuthorizationPolicy.targetRefs":                      authorization(`targetRefs: [{kind: Service, name: a}]`),
	"RequestAuthentication.targetRef":                     requestAuthentication(`targetRef: {kind: Service, name: a}`),
	"RequestAuthentication.targetRefs":                    requestAuthentication(`targetRefs: [{kind: Service, name: a}]`),
	"Telemetry.targetRef":                                 telemetryObject(`targetRef: {kind: Service, name: a}`),
	"Telemetry.targetRefs":                                telemetryObject(`targetRefs: [{kind: Service, name: a}]`),
	"Tracing.use_request_id_for_trace_sampling":           telemetryObject(`tracing: [{useRequestIdForTraceSampling: false}]`),
	"Tracing.CustomTag.formatter":                         telemetryObject(`tracing: [{customTags: {a: {formatter: {value: "%REQ(a)%"}}}}]`),
	"WorkloadEntry.network":                               workloadEntry(`address: 10.0.0.1, network: x`),
}

func TestNoFieldIsSilentlyIgnored(t *testing.T) {
	known := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(enforced), "\n") {
		message, fields, _ := strings.Cut(line, ": ")
		for _, field := range strings.Fields(fields) {
			known[message+"."+field] = true
		}
	}
	for field, document := range notEnforced {
		if known[field] {
			t.Errorf("%s stands on both sides", field)
		}
		if len(faultsOf(t, document)) == 0 {
			t.Errorf("%s: nothing is said", field)
		}
	}
	w := fieldWalk{t: t, known: known, seen: map[protoreflect.FullName]bool{}}
	for _, kind := range []protoreflect.ProtoMessage{
		&networking.VirtualService{}, &networking.DestinationRule{}, &networking.ServiceEntry{}, &networking.WorkloadEntry{},
		&security.AuthorizationPolicy{}, &security.PeerAuthentication{}, &security.RequestAuthentication{},
		&telemetry.Telemetry{},
	} {
		w.message(kind.ProtoReflect().Descriptor())
	}
}

type fieldWalk struct {
	t     *testing.T
	known map[string]bool
	seen  map[protoreflect.FullName]bool
}

func (w fieldWalk) message(md protoreflect.MessageDescriptor) {
	api := string(md.ParentFile().Package()) + "."
	kinds := []string{"istio.networking.v1alpha3.", "istio.security.v1beta1.", "istio.telemetry.v1alpha1."} // what they share has tests of its own
	if w.seen[md.FullName()] || !slices.Contains(kinds, api) {
		return
	}
	w.seen[md.FullName()] = true
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		name := strings.TrimPrefix(string(fd.FullName()), api)
		if _, said := notEnforced[name]; said {
			continue // with all below it
		}
		if !w.known[name] && !md.IsMapEntry() {
			w.t.Errorf("%s: is it enforced, or what is said about it?", name)
		}
		if fd.Message() != nil {
			w.message(fd.Message())
		}
	}
}
