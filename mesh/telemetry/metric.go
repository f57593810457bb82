package telemetry

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

// A metricID is one of Istio's standard metrics; the numbers are those of
// MetricSelector.IstioMetric in Telemetry resources, less one.
type metricID uint8

const (
	requestCount metricID = iota
	requestDuration
	requestSize
	responseSize
	tcpOpened
	tcpClosed
	tcpSent
	tcpReceived
	requestMessages
	responseMessages
	metricCount // how many there are
)

// A description is an instrument's. Names are Prometheus', whole, so that they
// are the same whether an exporter adds suffixes or not: none adds one twice.
type description struct{ name, unit, text string }

var descriptions = [metricCount]description{
	requestCount:     {"istio_requests_total", "", "Requests that are over."},
	requestDuration:  {"istio_request_duration_milliseconds", "ms", "Time from a request's first byte to the last of its answer."},
	requestSize:      {"istio_request_bytes", "By", "Size of a request."},
	responseSize:     {"istio_response_bytes", "By", "Size of an answer."},
	tcpOpened:        {"istio_tcp_connections_opened_total", "", "Connections that were opened."},
	tcpClosed:        {"istio_tcp_connections_closed_total", "", "Connections that were closed."},
	tcpSent:          {"istio_tcp_sent_bytes_total", "By", "Bytes of answers on connections."},
	tcpReceived:      {"istio_tcp_received_bytes_total", "By", "Bytes of requests on connections."},
	requestMessages:  {"istio_request_messages_total", "", "Messages that gRPC clients sent."},
	responseMessages: {"istio_response_messages_total", "", "Messages that gRPC servers sent."},
}

func (m metricID) String() string { return descriptions[m].name }

// The histograms stand side by side; the others count.
const (
	firstHistogram = requestDuration
	histogramCount = responseSize - firstHistogram + 1
)

func (m metricID) histogram() bool { return m >= firstHistogram && m < firstHistogram+histogramCount }

// of is what a histogram measures of a call, in whole nanoseconds or bytes.
func (m metricID) of(c *topology.Call) int64 {
	switch m {
	case requestDuration:
		return int64(c.Duration)
	case requestSize:
		return c.BytesReceived
	}
	return c.BytesSent
}

// instruments are where measurements go.
type instruments struct {
	counters   [metricCount]metric.Int64Counter
	histograms [metricCount]metric.Float64Histogram
}

func newInstruments(m metric.Meter) (*instruments, error) {
	in := new(instruments)
	for id := range metricCount {
		if err := in.create(m, id); err != nil {
			return nil, fmt.Errorf("telemetry: instrument %s: %w", id, err)
		}
	}
	return in, nil
}

// listened reports whether anybody wants to know of histograms. Nobody does as long
// as the global provider has not been set.
func (in *instruments) listened() bool {
	for id := firstHistogram; id < firstHistogram+histogramCount; id++ {
		if in.histograms[id].Enabled(context.Background()) {
			return true
		}
	}
	return false
}

// record records what is measured, that of a sampled request with its context, for
// the sake of exemplars.
func (in *instruments) record(id metricID, p *point, v int64, span *trace.SpanContext) {
	ctx := context.Background()
	if span != nil {
		ctx = trace.ContextWithSpanContext(ctx, *span)
	}
	in.histograms[id].Record(ctx, float64(v)/id.scale().unit, p.record...)
}

func (in *instruments) create(m metric.Meter, id metricID) (err error) {
	d := descriptions[id]
	if id.histogram() {
		in.histograms[id], err = m.Float64Histogram(d.name, metric.WithUnit(d.unit), metric.WithDescription(d.text),
			metric.WithExplicitBucketBoundaries(bounds[:]...))
		return err
	}
	in.counters[id], err = m.Int64Counter(d.name, metric.WithUnit(d.unit), metric.WithDescription(d.text))
	return err
}
