package telemetry

import (
	"cmp"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

// A Config says who reports, and where to. The zero Config works: it reports to
// OpenTelemetry's global providers, which drop everything until a program sets
// others.
type Config struct {
	// Local is this process. Its Principal is not used: links have it.
	Local Workload
	// MeterProvider takes the metrics. Nil: the global one.
	MeterProvider metric.MeterProvider
	// TracerProvider takes the spans. Nil: the global one.
	TracerProvider trace.TracerProvider
	// Propagator carries traces from process to process. Nil: the global one as
	// it is when New is called, and if that has no fields, W3C trace context and
	// baggage.
	Propagator propagation.TextMapPropagator
	// AccessLog gets a line for each request, if rules ask for it or
	// LogRequests is set. Nil: there is no access log.
	AccessLog *slog.Logger
	// LogRequests logs every request that no rule says otherwise about.
	LogRequests bool
	// LogFraction is what part of the requests is logged, of those that are to
	// be: from 0 to 1. Zero: all.
	LogFraction float64
	// Histograms takes over durations and sizes: a producer.Producer. Nil: they
	// are recorded through the MeterProvider, which costs some 2 µs of the
	// process's time for each request, though none of the request's.
	Histograms HistogramSink
	// State is asked for the state of the mesh each time that metrics are
	// collected. Nil: there are no metrics about the mesh itself.
	State func() State
	// Series is how many series each of Istio's metrics may have, of which hosts
	// outside the mesh take half at most. Zero: 1000. The SDK's own limit is 2000.
	Series int
	// Topology says how much the live graph remembers.
	Topology topology.Config
	// Build is the version in the label tag of the gauge istio_build. Zero: unknown.
	Build string
}

// InstrumentationName is the name of the instrumentation: of the meter and of the tracer.
const InstrumentationName = "github.com/inmesh-go/inmesh/mesh/telemetry"

func (c Config) withDefaults() Config {
	if c.MeterProvider == nil {
		c.MeterProvider = otel.GetMeterProvider()
	}
	if c.TracerProvider == nil {
		c.TracerProvider = otel.GetTracerProvider()
	}
	if c.Propagator == nil {
		c.Propagator = otel.GetTextMapPropagator()
	}
	c.Series = cmp.Or(c.Series, 1000)
	c.LogFraction = cmp.Or(c.LogFraction, 1)
	c.Build = cmp.Or(c.Build, unknown)
	return c
}

func (c Config) validate() error {
	if !(c.LogFraction >= 0 && c.LogFraction <= 1) {
		return fmt.Errorf("telemetry: LogFraction: %v is not from 0 to 1", c.LogFraction)
	}
	if c.Series < 0 {
		return fmt.Errorf("telemetry: Series: %d is below 0", c.Series)
	}
	return nil
}
