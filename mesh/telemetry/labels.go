package telemetry

import (
	"cmp"
	"strconv"
	"strings"
	"unicode"

	"go.opentelemetry.io/otel/attribute"
)

// Labels are Istio's standard ones, with the values that Istio's proxy gives them:
// https://github.com/istio/proxy/blob/master/source/extensions/filters/http/istio_stats/istio_stats.cc

// unknown and latest stand for what is not known.
const (
	unknown = "unknown"
	latest  = "latest"
)

// overflow marks what had no room, as the SDK does.
var overflow = attribute.Bool("otel.metric.overflow", true)

// outcome is what of a result becomes labels: one series of an edge.
type outcome struct {
	code  uint16
	grpc  int16 // -1: none
	flags Flags
}

// endLabels are those of both ends, and of what is called.
func endLabels(l *Link, self *Workload) []attribute.KeyValue {
	own := *self
	own.Principal = l.Principal
	source, destination := &own, &l.Peer
	if l.Reporter == Destination {
		source, destination = destination, source
	}
	out := make([]attribute.KeyValue, 0, 32)
	out = append(out, attribute.String("reporter", l.Reporter.String()))
	out = append(out, workloadLabels("source_", source)...)
	out = append(out, workloadLabels("destination_", destination)...)
	return append(out, serviceLabelsOf(l, destination)...)
}

func workloadLabels(prefix string, w *Workload) []attribute.KeyValue {
	label := func(name, value, absent string) attribute.KeyValue {
		return attribute.String(prefix+name, clean(cmp.Or(value, absent)))
	}
	return []attribute.KeyValue{
		label("workload", w.Name, unknown),
		label("workload_namespace", cmp.Or(namespaceOf(w.Principal), w.Namespace), unknown),
		label("principal", w.Principal, unknown),
		label("app", w.App, unknown),
		label("version", w.Version, unknown),
		label("canonical_service", w.Service, unknown),
		label("canonical_revision", w.Revision, latest),
		label("cluster", w.Cluster, unknown),
	}
}

// serviceLabelsOf: a client that does not know the service says what its caller
// wrote; a server says its own canonical service.
func serviceLabelsOf(l *Link, destination *Workload) []attribute.KeyValue {
	host, name := l.Service.Host, cmp.Or(l.Service.Name, l.Service.Host)
	if l.Reporter == Destination {
		host, name = cmp.Or(host, destination.Service), cmp.Or(name, destination.Service)
	}
	namespace := cmp.Or(l.Service.Namespace, namespaceOf(destination.Principal), destination.Namespace)
	return []attribute.KeyValue{
		attribute.String("destination_service", clean(cmp.Or(host, unknown))),
		attribute.String("destination_service_name", clean(cmp.Or(name, unknown))),
		attribute.String("destination_service_namespace", clean(cmp.Or(namespace, unknown))),
		attribute.String("request_protocol", l.Protocol.String()),
		attribute.String("connection_security_policy", l.security()),
	}
}

// security: of a client Istio says nothing, for its proxy does not know whether
// what it sends is mutual TLS in the end.
func (l *Link) security() string {
	switch {
	case l.Reporter == Source:
		return unknown
	case l.mutual():
		return "mutual_tls"
	}
	return "none"
}

func (l *Link) mutual() bool { return l.Principal != "" && l.Peer.Principal != "" }

// namespaceOf is the namespace that a principal names: Istio puts what is proven
// before what is said.
func namespaceOf(principal string) string {
	_, rest, ok := strings.Cut(principal, "/ns/")
	if !ok {
		return ""
	}
	namespace, _, _ := strings.Cut(rest, "/")
	return namespace
}

// outcomeLabels are those that differ between the series of an edge.
func outcomeLabels(p Protocol, o outcome) []attribute.KeyValue {
	flags := attribute.String("response_flags", o.flags.String())
	if p == TCP {
		return []attribute.KeyValue{flags}
	}
	grpc := ""
	if p == GRPC && o.grpc >= 0 {
		grpc = strconv.Itoa(int(o.grpc))
	}
	return []attribute.KeyValue{
		flags,
		attribute.String("response_code", strconv.Itoa(int(o.code))),
		attribute.String("grpc_response_status", grpc),
	}
}

// accountOf is the service account that a principal names, or else all of it.
func accountOf(principal string) string {
	if _, account, ok := strings.Cut(principal, "/sa/"); ok {
		return account
	}
	return strings.TrimPrefix(principal, "spiffe://")
}

// longestLabel keeps callers from filling the memory of whoever stores metrics.
const longestLabel = 256

// clean makes a value that others wrote one that every exporter takes, and every page:
// Prometheus' refuses all metrics for one that is no UTF-8.
func clean(s string) string {
	if len(s) > longestLabel {
		s = s[:longestLabel]
	}
	return strings.Map(legible, s)
}

// legible also makes one of bytes that are no UTF-8.
func legible(r rune) rune {
	if unicode.IsControl(r) {
		return unicode.ReplacementChar
	}
	return r
}
