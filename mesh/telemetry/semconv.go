package telemetry

import (
	"net"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// attributes are those of OpenTelemetry's conventions for HTTP and RPC, Istio's
// own, and those of rules.
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/
// https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
func (s *Span) attributes(l *Link, r *Result) []attribute.KeyValue {
	a := &attributeList{}
	d := r.Details
	if d == nil {
		d = new(Details)
	}
	if l.Protocol == GRPC {
		a.rpc(d, r)
	} else {
		a.http(s.reporter, d, r)
	}
	a.network(s.reporter, d)
	a.text("response_flags", r.Flags.String()) // Envoy's tag
	a.text("upstream_cluster", d.Cluster)
	if !s.rule.noIstioTags {
		a.istio(&s.t.config.Local)
	}
	a.custom(s.rule.tags, d)
	return a.list
}

// An attributeList grows by what is known.
type attributeList struct{ list []attribute.KeyValue }

func (a *attributeList) text(k attribute.Key, v string) {
	if v != "" {
		a.list = append(a.list, k.String(told(v)))
	}
}

// longestAttribute keeps strangers from filling the memory of exporters, which wait
// with thousands of spans. In bytes.
const longestAttribute = 4 << 10

// told makes a text that others wrote one that exporters take: OTLP's refuse all
// spans that they send with one that is no UTF-8.
func told(s string) string {
	if len(s) > longestAttribute {
		s = strings.Clone(s[:longestAttribute]) // or it would hold on to the rest
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func (a *attributeList) number(k attribute.Key, n int) {
	if n > 0 {
		a.list = append(a.list, k.Int(n))
	}
}

func (a *attributeList) http(r Reporter, d *Details, result *Result) {
	a.method(d.Method)
	a.number(semconv.HTTPResponseStatusCodeKey, result.Code)
	if r == Source {
		a.text(semconv.URLFullKey, d.url())
	} else {
		a.text(semconv.HTTPRouteKey, d.Template)
		a.text(semconv.URLSchemeKey, d.Scheme)
		a.text(semconv.URLPathKey, d.urlPath())
		a.text(semconv.URLQueryKey, redactQuery(d.query()))
	}
	a.text(semconv.UserAgentOriginalKey, first(d.RequestHeader, "User-Agent"))
	_, version, _ := strings.Cut(d.Protocol, "/")
	a.text(semconv.NetworkProtocolVersionKey, version)
}

// method: "If the HTTP request method is not known to instrumentation, it MUST set
// the http.request.method attribute to _OTHER", and say the original beside it.
func (a *attributeList) method(m string) {
	if SpanName(m) == m {
		a.text(semconv.HTTPRequestMethodKey, m)
		return
	}
	a.list = append(a.list, semconv.HTTPRequestMethodOther)
	a.text(semconv.HTTPRequestMethodOriginalKey, m)
}

// SpanName is that of an HTTP request: its method or, for one that anybody may have
// made up, HTTP. So spans have few names.
func SpanName(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace, "QUERY", "":
		return method
	}
	return "HTTP"
}

// url is the whole address; "" if the host is not known.
func (d *Details) url() string {
	if d.Host == "" {
		return ""
	}
	return d.Scheme + "://" + d.Host + redact(d.Path)
}

// secrets are the parameters of queries of which the conventions say that "the
// query string value […] SHOULD be redacted by default".
var secrets = [...]string{"AWSAccessKeyId=", "Signature=", "sig=", "X-Goog-Signature="}

func redact(path string) string {
	path, query, ok := strings.Cut(path, "?")
	if !ok {
		return path
	}
	return path + "?" + redactQuery(query)
}

func redactQuery(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		for _, name := range secrets {
			if strings.HasPrefix(part, name) {
				parts[i] = name + "REDACTED"
			}
		}
	}
	return strings.Join(parts, "&")
}

func (a *attributeList) rpc(d *Details, r *Result) {
	a.text(semconv.RPCSystemNameKey, "grpc")
	a.text(semconv.RPCMethodKey, strings.TrimPrefix(d.urlPath(), "/"))
	if r.GRPC >= 0 {
		a.text(semconv.RPCResponseStatusCodeKey, grpcCode(r.GRPC))
	}
}

// network is where a call goes to, or comes from.
func (a *attributeList) network(r Reporter, d *Details) {
	host, port := hostAndPort(d.Host)
	a.text(semconv.ServerAddressKey, host)
	a.number(semconv.ServerPortKey, port)
	if r == Source {
		host, port = hostAndPort(d.UpstreamAddress)
	} else {
		host, port = hostAndPort(d.SourceAddress)
		a.text(semconv.ClientAddressKey, host)
	}
	a.text(semconv.NetworkPeerAddressKey, host)
	a.number(semconv.NetworkPeerPortKey, port)
}

func hostAndPort(address string) (host string, port int) {
	host, p, err := net.SplitHostPort(address)
	if err != nil {
		return address, 0
	}
	port, _ = strconv.Atoi(p)
	return host, port
}

// istio are the tags that Istio adds unless a rule says otherwise.
func (a *attributeList) istio(w *Workload) {
	a.text("istio.canonical_service", w.Service)
	a.text("istio.canonical_revision", w.Revision)
	a.text("istio.namespace", w.Namespace)
	a.text("istio.cluster_id", w.Cluster)
}

func (a *attributeList) custom(tags []customTag, d *Details) {
	for i := range tags {
		t := &tags[i]
		value := t.value
		if v, ok := d.RequestHeader[t.header]; ok && t.header != "" {
			value = strings.Join(v, ",")
		}
		a.text(attribute.Key(t.name), value)
	}
}

// failure is the error's type: a status, or what the mesh knows better; "" if
// there is none. On a client 4xx are errors, on a server they are the caller's.
func (s *Span) failure(l *Link, r *Result) string {
	if l.Protocol == GRPC && r.GRPC >= 0 {
		if r.GRPC > 0 && (s.reporter == Source || serverFault(r.GRPC)) {
			return grpcCode(r.GRPC)
		}
		return ""
	}
	switch {
	case r.Code == 0:
		return r.Flags.String()
	case r.Code >= 500, r.Code >= 400 && s.reporter == Source:
		return strconv.Itoa(r.Code)
	}
	return ""
}

func (s *Span) fail(why string, r *Result) {
	s.span.SetAttributes(semconv.ErrorTypeKey.String(why))
	text := ""
	if r.Details != nil {
		text = told(r.Details.CodeDetails)
	}
	s.span.SetStatus(codes.Error, text)
}

var grpcCodes = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// grpcCode is a code as the conventions write it; one that gRPC does not have, its
// number.
func grpcCode(code int) string {
	if code < len(grpcCodes) {
		return grpcCodes[code]
	}
	return strconv.Itoa(code)
}
