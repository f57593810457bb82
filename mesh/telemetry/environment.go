package telemetry

import (
	"net"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/inmesh-go/inmesh/mesh/internal/cel"
)

// An environment is a request as expressions see it: Envoy's attributes.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes
type environment struct {
	result *Result
	edge   *Edge
}

// Attribute implements cel.Attributes. Of a request without details, most is
// absent.
func (e *environment) Attribute(name string) cel.Value {
	if f, ok := attributes[name]; ok {
		return f(e)
	}
	return cel.Absent()
}

// attributes are all that cel.AttributeNames promises.
var attributes = map[string]func(*environment) cel.Value{
	"request.path":       detail(func(d *Details) string { return d.Path }),
	"request.url_path":   detail((*Details).urlPath),
	"request.query":      query,
	"request.host":       detail(func(d *Details) string { return d.Host }),
	"request.scheme":     detail(func(d *Details) string { return d.Scheme }),
	"request.method":     detail(func(d *Details) string { return d.Method }),
	"request.protocol":   detail(func(d *Details) string { return d.Protocol }),
	"request.referer":    requestHeader("Referer"),
	"request.useragent":  requestHeader("User-Agent"),
	"request.id":         requestHeader("X-Request-Id"),
	"request.headers":    func(e *environment) cel.Value { return e.headers(requestHeaders) },
	"request.duration":   func(e *environment) cel.Value { return cel.Duration(e.result.Duration) },
	"request.size":       body(func(r *Result, d *Details) int64 { return r.RequestBytes - d.RequestHead }),
	"request.total_size": func(e *environment) cel.Value { return cel.Int(e.result.RequestBytes) },

	"response.code":            code,
	"response.code_details":    detail(func(d *Details) string { return d.CodeDetails }),
	"response.flags":           func(e *environment) cel.Value { return cel.Int(int64(e.result.Flags)) },
	"response.grpc_status":     grpcStatus,
	"response.headers":         func(e *environment) cel.Value { return e.headers(responseHeaders) },
	"response.trailers":        func(e *environment) cel.Value { return e.headers(responseTrailers) },
	"response.size":            body(func(r *Result, d *Details) int64 { return r.ResponseBytes - d.ResponseHead }),
	"response.total_size":      func(e *environment) cel.Value { return cel.Int(e.result.ResponseBytes) },
	"response.backend_latency": backendLatency,

	"source.address":      detail(func(d *Details) string { return d.SourceAddress }),
	"source.port":         port(func(d *Details) string { return d.SourceAddress }),
	"destination.address": detail(func(d *Details) string { return d.DestinationAddress }),
	"destination.port":    port(func(d *Details) string { return d.DestinationAddress }),

	"connection.mtls":                      func(e *environment) cel.Value { return cel.Bool(e.edge.link.mutual()) },
	"connection.requested_server_name":     detail(func(d *Details) string { return d.ServerName }),
	"connection.tls_version":               detail(func(d *Details) string { return d.TLSVersion }),
	"connection.uri_san_local_certificate": func(e *environment) cel.Value { return text(e.edge.link.Principal) },
	"connection.uri_san_peer_certificate":  func(e *environment) cel.Value { return text(e.edge.link.Peer.Principal) },
	"connection.termination_details":       detail(func(d *Details) string { return d.Termination }),

	"upstream.address":                  detail(func(d *Details) string { return d.UpstreamAddress }),
	"upstream.port":                     port(func(d *Details) string { return d.UpstreamAddress }),
	"upstream.transport_failure_reason": detail(func(d *Details) string { return d.TransportFailure }),
	"upstream.request_attempt_count":    attempts,

	"xds.cluster_name": detail(func(d *Details) string { return d.Cluster }),
	"xds.route_name":   detail(func(d *Details) string { return d.Route }),
}

// detail is a text among the details; "" is absent.
func detail(of func(*Details) string) func(*environment) cel.Value {
	return func(e *environment) cel.Value {
		if e.result.Details == nil {
			return cel.Absent()
		}
		return text(of(e.result.Details))
	}
}

// body is a size without the head, which only details tell apart.
func body(of func(*Result, *Details) int64) func(*environment) cel.Value {
	return func(e *environment) cel.Value {
		if e.result.Details == nil {
			return cel.Absent()
		}
		return cel.Int(of(e.result, e.result.Details))
	}
}

func text(s string) cel.Value {
	if s == "" {
		return cel.Absent()
	}
	return cel.String(s)
}

func requestHeader(name string) func(*environment) cel.Value {
	return detail(func(d *Details) string { return first(d.RequestHeader, name) })
}

func first(h map[string][]string, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// query may be empty, which is not absent.
func query(e *environment) cel.Value {
	if d := e.result.Details; d != nil && d.Path != "" {
		return cel.String(d.query())
	}
	return cel.Absent()
}

func port(of func(*Details) string) func(*environment) cel.Value {
	return func(e *environment) cel.Value {
		if e.result.Details == nil {
			return cel.Absent()
		}
		_, p, err := net.SplitHostPort(of(e.result.Details))
		n, err2 := strconv.ParseUint(p, 10, 16)
		if err != nil || err2 != nil {
			return cel.Absent()
		}
		return cel.Int(int64(n))
	}
}

func code(e *environment) cel.Value {
	if e.result.Code == 0 {
		return cel.Absent()
	}
	return cel.Int(int64(e.result.Code))
}

func grpcStatus(e *environment) cel.Value {
	if e.edge.link.Protocol != GRPC || e.result.GRPC < 0 {
		return cel.Absent()
	}
	return cel.Int(int64(e.result.GRPC))
}

func backendLatency(e *environment) cel.Value {
	if d := e.result.Details; d != nil && d.Upstream > 0 {
		return cel.Duration(d.Upstream)
	}
	return cel.Absent()
}

func attempts(e *environment) cel.Value {
	if d := e.result.Details; d != nil {
		return cel.Int(int64(d.Attempts))
	}
	return cel.Absent()
}

func (d *Details) urlPath() string {
	path, _, _ := strings.Cut(d.Path, "?")
	return path
}

func (d *Details) query() string {
	_, query, _ := strings.Cut(d.Path, "?")
	return query
}

// headers are a map in expressions, by names in any case.
type headers struct {
	*Details
	which whichHeaders
}

type whichHeaders uint8

const (
	requestHeaders whichHeaders = iota
	responseHeaders
	responseTrailers
)

func (e *environment) headers(which whichHeaders) cel.Value {
	if e.result.Details == nil {
		return cel.Absent()
	}
	return cel.Of(headers{e.result.Details, which})
}

// Lookup implements cel.Map. The request's pseudo headers are among its headers,
// and several values of one are joined.
func (h headers) Lookup(key string) (string, bool) {
	m := h.RequestHeader
	switch h.which {
	case responseHeaders:
		m = h.ResponseHeader
	case responseTrailers:
		m = h.ResponseTrailer
	default:
		if s := h.pseudo(key); s != "" {
			return s, true
		}
	}
	values, ok := m[textproto.CanonicalMIMEHeaderKey(key)]
	if !ok {
		values, ok = m[strings.ToLower(key)] // gRPC's metadata
	}
	return strings.Join(values, ","), ok
}

func (h headers) pseudo(key string) string {
	switch key {
	case ":path":
		return h.Path
	case ":method":
		return h.Method
	case ":authority", "host":
		return h.Host
	case ":scheme":
		return h.Scheme
	}
	return ""
}

// An expression is one that a rule has written.
type expression struct{ program *cel.Program }

// depends says that the expression asks for an attribute of a request.
func (x *expression) depends() bool { return x.program != nil && len(x.program.Names()) > 0 }

// text is the expression as a label's value; "unknown" where it has none.
func (x *expression) text(env *environment) string {
	if x.program == nil || env == nil && x.depends() {
		return unknown
	}
	s, ok := x.program.Eval(env).Text()
	if !ok {
		return unknown
	}
	return clean(s)
}
