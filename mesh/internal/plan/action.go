package plan

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/retry"
)

// A Direct is an answer that the rule itself gives.
type Direct struct {
	Status  int
	Body    []byte
	Headers HeaderOps
}

func compileDirect(spec *networking.HTTPRoute) *Direct {
	d := &Direct{Status: int(spec.DirectResponse.Status), Headers: mergeOps(true, spec.GetHeaders().GetResponse(), nil)}
	switch body := spec.DirectResponse.GetBody().GetSpecifier().(type) {
	case *networking.HTTPBody_String_:
		d.Body = []byte(body.String_)
	case *networking.HTTPBody_Bytes:
		d.Body = body.Bytes
	}
	return d
}

// A Redirect is an answer that sends the caller elsewhere.
type Redirect struct {
	Status  int
	Headers HeaderOps

	scheme, authority string
	port              uint16 // 0: none is written
	derive            bool   // the port that the request was addressed to
	path              string
	prefix            bool // path replaces the matched prefix only
}

func compileRedirect(spec *networking.HTTPRoute) *Redirect {
	in := spec.Redirect
	r := &Redirect{
		Status:    301,
		Headers:   mergeOps(true, spec.GetHeaders().GetResponse(), nil),
		scheme:    in.Scheme,
		authority: in.Authority,
		path:      in.Uri,
	}
	if in.RedirectCode != 0 {
		r.Status = int(in.RedirectCode)
	}
	if in.PrefixRewrite != "" {
		r.path, r.prefix = in.PrefixRewrite, true
	}
	switch port := in.RedirectPort.(type) {
	case *networking.HTTPRedirect_Port:
		r.port = uint16(port.Port)
	case *networking.HTTPRedirect_DerivePort:
		r.derive = port.DerivePort == networking.HTTPRedirect_FROM_REQUEST_PORT
	}
	return r
}

// Location is the URL that the caller is sent to.
func (r *Route) Location(req *Request, port uint16) string {
	to := r.Redirect
	scheme := or(to.scheme, req.Scheme)
	host, written := splitPort(req.Authority)
	host, hostPort := or(to.authority, host), to.port
	switch {
	case to.port != 0:
	case to.derive:
		hostPort = port
	case to.authority == "" && (scheme == req.Scheme || written != schemePort(req.Scheme)):
		hostPort = written // a new scheme drops the old one's default port, and no other
	}
	if hostPort != 0 && hostPort != schemePort(scheme) {
		host += ":" + strconv.Itoa(int(hostPort))
	}
	path, query := to.target(r.matched(req, port), req)
	return (&url.URL{Scheme: scheme, Host: host}).String() + path + query
}

// target is the path of the redirect and the query with its question mark. The
// query is kept unless the new path brings its own.
func (to *Redirect) target(m *match, req *Request) (path, query string) {
	path = req.Path
	switch {
	case to.prefix:
		path = rewrite{uri: to.path}.path(m, req.Path)
	case to.path != "":
		path = to.path
	}
	if req.RawQuery != "" && !strings.Contains(path, "?") {
		query = "?" + req.RawQuery
	}
	return path, query
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// A Fault is what a rule breaks on purpose. The two rolls are independent; the
// delay comes first.
type Fault struct {
	DelayFraction Fraction
	Delay         time.Duration
	AbortFraction Fraction
	AbortStatus   int // HTTP status, 0 if the abort is a gRPC one
	AbortGRPC     int // gRPC code, -1 if the abort is an HTTP one
}

// compileFault: a percentage that is not written means never, but for the
// deprecated integer percent of a delay.
func compileFault(spec *networking.HTTPFaultInjection) Fault {
	f := Fault{AbortGRPC: -1}
	if d := spec.GetDelay(); d.GetFixedDelay() != nil {
		f.Delay = d.GetFixedDelay().AsDuration()
		f.DelayFraction = percent(float64(d.Percent)) //nolint:staticcheck // deprecated, still obeyed
		if d.Percentage != nil {
			f.DelayFraction = percent(d.Percentage.Value)
		}
	}
	switch a := spec.GetAbort().GetErrorType().(type) {
	case *networking.HTTPFaultInjection_Abort_HttpStatus:
		f.AbortStatus = int(a.HttpStatus)
	case *networking.HTTPFaultInjection_Abort_GrpcStatus:
		f.AbortGRPC = grpcCode(a.GrpcStatus)
	default:
		return f
	}
	f.AbortFraction = percent(spec.GetAbort().GetPercentage().GetValue())
	return f
}

// grpcCodes are the names of gRPC's status codes by number.
var grpcCodes = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
	"ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
	"UNAUTHENTICATED",
}

func grpcCode(name string) int {
	for code, n := range grpcCodes {
		if n == name {
			return code
		}
	}
	return -1
}

// compileRetry: no block is the built-in policy; a block without attempts
// switches retries off; what a block leaves out has the built-in's value, but
// that hosts which failed are not avoided "when the single destination uses
// consistent hashing" (Istio).
func compileRetry(spec *networking.HTTPRetry, hashed bool) retry.Policy {
	p := retry.Default()
	p.AvoidTried = !hashed
	if spec == nil {
		return p
	}
	p.Attempts = int(spec.Attempts)
	p.SafeReplay = false // what is written is obeyed to the letter
	p.PerTryTimeout = spec.GetPerTryTimeout().AsDuration()
	p.RemoteLocalities = spec.GetRetryRemoteLocalities().GetValue()
	if base := spec.GetBackoff().AsDuration(); base > 0 {
		p.Backoff.Base, p.Backoff.Max = base, 10*base
	}
	if spec.RetryOn != "" {
		p.On, _ = retry.ParseOn(spec.RetryOn) // validated with the rule
	}
	if v := spec.GetRetryIgnorePreviousHosts(); v != nil {
		p.AvoidTried = v.Value
	}
	return p
}
