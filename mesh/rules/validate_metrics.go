package rules

import (
	"slices"
	"strings"

	telemetry "istio.io/api/telemetry/v1alpha1"
)

// istioMetrics are those that tags can be changed of, as Prometheus calls them.
// Nobody writes to it.
var istioMetrics = []string{
	"istio_requests_total", "istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes",
	"istio_request_messages_total", "istio_response_messages_total",
	"istio_tcp_connections_opened_total", "istio_tcp_connections_closed_total",
	"istio_tcp_sent_bytes_total", "istio_tcp_received_bytes_total",
}

func validateMetrics(c *checker, path string, m *telemetry.Metrics) {
	validateProviders(c, path, scraped, m.Providers)
	for i, o := range m.Overrides {
		at := item(path, "overrides", i)
		if custom, ok := o.GetMatch().GetMetricMatch().(*telemetry.MetricSelector_CustomMetric); ok {
			validateCustomMetric(c, at+".match.customMetric", custom.CustomMetric)
		}
		for name, tag := range sorted(o.TagOverrides) {
			validateTagOverride(c, entry(at+".tagOverrides", name), name, tag)
		}
	}
}

// validateCustomMetric: by its whole name, or by Istio's in a proxy's
// configuration, requests_total.
func validateCustomMetric(c *checker, path, name string) {
	switch {
	case name == "":
		c.invalid(path, "empty: want a name")
	case !slices.Contains(istioMetrics, "istio_"+strings.TrimPrefix(name, "istio_")):
		c.warn(path, "%q: there is no such metric in this process%s", brief(name), didYouMean(name, istioMetrics))
	}
}

func validateTagOverride(c *checker, path, name string, o *telemetry.MetricsOverrides_TagOverride) {
	if name == "" {
		c.warn(path, "empty: has no effect without the name of a tag")
	}
	at, remove := path+".value", o.Operation == telemetry.MetricsOverrides_TagOverride_REMOVE
	switch {
	case remove && o.Value != "":
		c.invalid(at, "%q: REMOVE takes none", brief(o.Value))
	case remove:
	case o.Value == "":
		c.invalid(at, "empty: UPSERT wants an expression")
	default: // what is no expression, Istio takes, and says unknown
		if err := validateExpression(c, at, o.Value); err != nil {
			c.warn(at, "%q: not an expression that inmesh can read, so that the tag is unknown: %v", brief(o.Value), err)
		}
	}
}
