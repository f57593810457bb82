package mesh_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/mesh/telemetry/producer"
)

// terse leaves out all but three fields of the access log.
func terse(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case "method", "response_code", "path":
		return a
	}
	return slog.Attr{}
}

// Metrics go to an SDK, and each request gets a line in the log.
func Example_telemetry() {
	reviews := httptest.NewServer(http.NotFoundHandler())
	defer reviews.Close()
	known, _ := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": discovery.Addresses(reviews.Listener.Addr().String())})

	ctx := context.Background()
	histograms := producer.New()                                      // hands histograms to the SDK whole, which costs it less
	reader := metric.NewManualReader(metric.WithProducer(histograms)) // in real life an exporter: Prometheus', OTLP
	m, err := mesh.New(ctx, mesh.Config{
		Workload:  mesh.Workload{Service: "productpage", Labels: map[string]string{"app": "productpage", "version": "v1"}},
		Discovery: known,
		Telemetry: telemetry.Config{
			MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)), // nil: otel.GetMeterProvider()
			Histograms:    histograms,
			AccessLog:     slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: terse})),
			LogRequests:   true, // those that no rule says otherwise about
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()

	client := &http.Client{Transport: m.Transport(nil)}
	resp, err := client.Get("http://reviews/reviews/7")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()

	var all metricdata.ResourceMetrics
	_ = reader.Collect(ctx, &all)
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			if requests, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "istio_requests_total" {
				service, _ := requests.DataPoints[0].Attributes.Value("destination_service_name")
				fmt.Println(m.Name, service.AsString(), requests.DataPoints[0].Value)
			}
		}
	}
	// Output:
	// method=GET path=/reviews/7 response_code=404
	// istio_requests_total reviews 1
}
