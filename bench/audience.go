package main

import (
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/mesh/telemetry/producer"
)

// An audience says where a mesh's telemetry goes.
type audience uint8

const (
	byDefault audience = iota // to the global providers, of which there are none
	nobody                    // there is no telemetry
	byAnSDK                   // metrics to an SDK's reader; spans are never sampled
)

func (a audience) config() telemetry.Config {
	if a != byAnSDK {
		return telemetry.Config{}
	}
	histograms := producer.New()
	reader := metric.NewManualReader(metric.WithProducer(histograms))
	return telemetry.Config{
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(reader)),
		TracerProvider: trace.NewTracerProvider(trace.WithSampler(trace.NeverSample())),
		Histograms:     histograms,
	}
}
