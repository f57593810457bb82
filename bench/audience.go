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
	byDefault       audience = iota // to the global providers, of which there are none
	nobody                          // there is no telemetry
	byAnSDK                         // metrics to an SDK's reader; spans are never sampled
	byAnSDKAndRules                 // … for a Telemetry resource says so, and the SDK is not asked
)

// noSamples is what a Telemetry resource says of it.
const noSamples = `---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: unsampled}
spec: {tracing: [{randomSamplingPercentage: 0}]}
`

func (a audience) rules() string {
	if a == byAnSDKAndRules {
		return noSamples
	}
	return ""
}

func (a audience) config() telemetry.Config {
	if a != byAnSDK && a != byAnSDKAndRules {
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
