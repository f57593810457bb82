package cel

import "slices"

// attributeNames are Envoy's attributes as far as a process without a proxy knows
// them. Nobody writes to it.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes
var attributeNames = []string{
	"request.path", "request.url_path", "request.query", "request.host", "request.scheme", "request.method",
	"request.protocol", "request.referer", "request.useragent", "request.id", "request.headers",
	"request.duration", "request.size", "request.total_size",

	"response.code", "response.code_details", "response.flags", "response.grpc_status", "response.headers",
	"response.trailers", "response.size", "response.total_size", "response.backend_latency",

	"source.address", "source.port", "destination.address", "destination.port",

	"connection.mtls", "connection.requested_server_name", "connection.tls_version",
	"connection.uri_san_local_certificate", "connection.uri_san_peer_certificate", "connection.termination_details",

	"upstream.address", "upstream.port", "upstream.transport_failure_reason", "upstream.request_attempt_count",

	"xds.cluster_name", "xds.route_name",
}

// AttributeNames are all names that an expression can ask for with success.
func AttributeNames() []string { return slices.Clone(attributeNames) }

// Attribute reports whether there is an attribute of that name.
func Attribute(name string) bool { return slices.Contains(attributeNames, name) }
