package telemetry_test

import (
	"context"
	"fmt"
	"time"

	api "istio.io/api/telemetry/v1alpha1"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

func Example() {
	t, err := telemetry.New(telemetry.Config{Local: telemetry.WorkloadOf("productpage-v1", "default", map[string]string{"app": "productpage", "version": "v1"})})
	if err != nil {
		panic(err)
	}
	defer t.Close()
	edge := t.Edge(telemetry.Link{
		Peer:    telemetry.WorkloadOf("reviews-v2", "default", map[string]string{"app": "reviews", "version": "v2"}),
		Service: telemetry.Service{Host: "reviews.default.svc.cluster.local", Name: "reviews"},
	})

	start := time.Now()
	ctx, span := t.Call(context.Background(), telemetry.Carrier{}, "GET")
	result := telemetry.Result{Start: start, Duration: time.Since(start), Code: 200, GRPC: -1, Span: span.Context()}
	span.Finish(edge, &result)
	edge.Record(&result)
	t.Log(ctx, edge, &result)

	for _, e := range t.Graph(10 * time.Second).Edges {
		fmt.Println(e.Source, "->", e.Target)
	}
	// Output:
	// default/productpage@v1 -> default/reviews@v2
}

func ExampleCompile() {
	spec := new(api.Telemetry)
	err := spec.UnmarshalJSON([]byte(`{"accessLogging": [{"filter": {"expression": "response.code >= "}}]}`))
	if err != nil {
		panic(err)
	}
	_, problems := telemetry.Compile([]telemetry.Resource{{Namespace: "default", Name: "logs", Spec: spec}}, telemetry.Scope{})
	for _, p := range problems {
		fmt.Println(p.Error())
	}
	// Output:
	// Telemetry default/logs: spec.accessLogging[0].filter.expression: "response.code >= ": column 18: the end: want a value
}
