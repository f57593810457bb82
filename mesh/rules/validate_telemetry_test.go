package rules_test

import (
	"strings"
	"testing"

	telemetry "istio.io/api/telemetry/v1alpha1"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestTelemetries(t *testing.T) {
	verify(t, telemetryObject, []row{
		{``, ``},
		{`selector: {matchLabels: {app: a}}`, ``},
		{`selector: {}`, `warning spec.selector.matchLabels: it selects every workload`},
		{`selector: {matchLabels: {app: "a*"}}`, `invalid spec.selector.matchLabels[app]: wildcards`},
		{`targetRef: {kind: Service, name: a}`, `warning spec.targetRef: for gateways and waypoints only`},
		{`targetRefs: [{kind: Pod, name: a}]`, "warning spec.targetRefs: for gateways\ninvalid spec.targetRefs[0]: \"core/Pod\": want one of"},
		{`selector: {matchLabels: {a: b}}, targetRefs: [{kind: Service, name: a}]`, "warning spec.targetRefs: for gateways\ninvalid spec.targetRefs: stands beside selector"},
		{`tracing: [~]`, `invalid spec.tracing[0]: want a mapping (Tracing), got null`},
		{`traces: []`, `invalid spec.traces: Telemetry has no field`},
	})
}

func TestTelemetryMetrics(t *testing.T) {
	const override = "spec.metrics[0].overrides[0]"
	verify(t, func(overrides string) string {
		return telemetryObject("metrics: [{overrides: [{" + overrides + "}]}]")
	}, []row{
		{`match: {metric: REQUEST_COUNT, mode: CLIENT}, disabled: true`, ``},
		{`match: {metric: REQUESTS}`, `invalid ` + override + `.match.metric: unknown value "REQUESTS": want one of ALL_METRICS`},
		{`match: {mode: GATEWAY}`, `invalid ` + override + `.match.mode: unknown value "GATEWAY"`},
		{`match: {customMetric: ""}`, `invalid ` + override + `.match.customMetric: empty: want a name`},
		{`match: {customMetric: istio_requests_total}`, ``},
		{`match: {customMetric: requests_total}`, ``},
		{`match: {customMetric: istio_request_total}`, `warning ` + override + `.match.customMetric: "istio_request_total": there is no such metric in this process; did you mean "istio_requests_total"?`},
		{`match: {metric: REQUEST_COUNT, customMetric: a}`, `invalid ` + override + `.match.customMetric: only one of metric, customMetric may be written`},
		{`disabled: 1`, `invalid ` + override + `.disabled: true or false`},
		{`tagOverrides: {a: {value: request.host}, b: {operation: REMOVE}, c: {operation: UPSERT, value: "'x'"}}`, ``},
		{`tagOverrides: {a: {}}`, `invalid ` + override + `.tagOverrides[a].value: empty: UPSERT wants an expression`},
		{`tagOverrides: {a: {operation: REMOVE, value: b}}`, `invalid ` + override + `.tagOverrides[a].value: "b": REMOVE takes none`},
		{`tagOverrides: {"": {operation: REMOVE}}`, `warning ` + override + `.tagOverrides[]: empty: has no effect`},
		{`tagOverrides: {a: {value: "((("}}`, `warning ` + override + `.tagOverrides[a].value: "(((": not an expression that inmesh can read, so that the tag is unknown: column 4`},
		{`tagOverrides: {a: {value: node.id}}`, `warning ` + override + `.tagOverrides[a].value: no attribute node.id`},
		{`tagOverrides: {a: ~}`, `invalid ` + override + `.tagOverrides[a]: want a mapping (TagOverride), got null`},
	})
	verify(t, func(fields string) string { return telemetryObject("metrics: [{" + fields + "}]") }, []row{
		{`providers: [{name: prometheus}]`, ``},
		{`providers: [{name: stackdriver}]`, `warning spec.metrics[0].providers[0].name: "stackdriver": stands for what this process reports to`},
		{`providers: [{name: prometheus}, {}]`, `invalid spec.metrics[0].providers[1].name: empty: want a name`},
		{`reportingInterval: 5s`, ``},
		{`reportingInterval: 0s`, `invalid spec.metrics[0].reportingInterval: 0s: want 1ms or more`},
	})
}

func TestTelemetryTracing(t *testing.T) {
	verify(t, func(fields string) string { return telemetryObject("tracing: [{" + fields + "}]") }, []row{
		{``, ``},
		{`match: {mode: SERVER}, randomSamplingPercentage: 0, disableSpanReporting: true, enableIstioTags: false, disableContextPropagation: true`, ``},
		{`randomSamplingPercentage: 100`, ``},
		{`randomSamplingPercentage: 100.5`, `invalid spec.tracing[0].randomSamplingPercentage: 100.5: want 0 to 100`},
		{`randomSamplingPercentage: -1`, `invalid spec.tracing[0].randomSamplingPercentage: -1: want 0 to 100`},
		{`randomSamplingPercentage: "NaN"`, `invalid spec.tracing[0].randomSamplingPercentage: NaN`},
		{`useRequestIdForTraceSampling: true`, `warning spec.tracing[0].useRequestIdForTraceSampling: has no effect`},
		{`providers: [{name: zipkin}]`, `warning spec.tracing[0].providers[0].name: "zipkin": stands for`},
		{`providers: [{name: ""}]`, `invalid spec.tracing[0].providers[0].name: empty`},
		{`providers: [{name: a}, {name: b}]`, "warning spec.tracing[0].providers[0].name: stands for\nwarning spec.tracing[0].providers[1].name: stands for\nwarning spec.tracing[0].providers: Istio does not support a second one"},
		{`customTags: {a: {literal: {value: b}}, c: {environment: {name: D, defaultValue: e}}, f: {header: {name: g}}}`, ``},
		{`customTags: {a: {literal: {}}, c: {environment: {defaultValue: e}}, f: {header: {}}}`,
			"invalid spec.tracing[0].customTags[a].literal.value: empty\ninvalid spec.tracing[0].customTags[c].environment.name: empty\ninvalid spec.tracing[0].customTags[f].header.name: empty"},
		{`customTags: {"": {literal: {value: b}}}`, `invalid spec.tracing[0].customTags[]: empty: want the name of a tag`},
		{`customTags: {a: {}}`, `warning spec.tracing[0].customTags[a]: has no effect: want literal, environment or header`},
		{`customTags: {a: {formatter: {value: "%REQ(a)%"}}}`, `warning spec.tracing[0].customTags[a].formatter: the tag is left out`},
		{`customTags: {a: {literal: {value: b}, header: {name: g}}}`, `invalid spec.tracing[0].customTags[a].header: only one of`},
		{`}, {`, `warning spec.tracing[1]: Istio does not support a second entry`},
	})
}

func TestTelemetryAccessLogging(t *testing.T) {
	const expression = "spec.accessLogging[0].filter.expression"
	verify(t, func(fields string) string { return telemetryObject("accessLogging: [{" + fields + "}]") }, []row{
		{``, ``},
		{`providers: [{name: envoy}], match: {mode: CLIENT_AND_SERVER}, disabled: false`, ``},
		{`providers: [{name: otel}]`, `warning spec.accessLogging[0].providers[0].name: "otel": stands for`},
		{`providers: [{name: ""}]`, `invalid spec.accessLogging[0].providers[0].name: empty`},
		{`filter: {expression: "response.code >= 400"}`, ``},
		{`filter: {expression: ""}`, `invalid ` + expression + `: empty: want an expression`},
		{`filter: {}`, `invalid ` + expression + `: empty: want an expression`},
		{`filter: {expression: "((("}`, `refused ` + expression + `: "(((": not an expression that inmesh can read: column 4`},
		{`filter: {expression: "[1].all(x, x > 0)"}`, `refused ` + expression + `: not an expression that inmesh can read`},
		{`filter: {expression: "nonsense.at.all == 1"}`, `warning ` + expression + `: no attribute nonsense.at`},
	})
}

func TestATelemetryWithLabelsInTheRootNamespaceIsNotForTheMesh(t *testing.T) {
	document := strings.Replace(telemetryObject(`selector: {matchLabels: {app: a}}`), "namespace: ns", "namespace: istio-system", 1)
	compareFaults(t, `warning spec.selector: selects workloads of istio-system alone`, faultsOf(t, document))
}

func TestTheOldestOfTwoTelemetriesCounts(t *testing.T) {
	const taken = `warning spec: has no effect: Telemetry ns/a, which comes first, is for the same workloads`
	verify(t, several, []row{
		{"te ns/a {}; te ns/b {}", taken},
		{"te ns/a {}; te ns/b {selector: {matchLabels: {}}}", taken + "\nwarning spec.selector.matchLabels: it selects every"},
		{"te ns/a {}; te other/b {}", ``},
		{"te ns/a {}; te ns/b {selector: {matchLabels: {x: z}}}", ``},
		{"te ns/a {selector: {matchLabels: {x: z}}}; te ns/b {selector: {matchLabels: {x: z}}}", ``}, // both are in force
		{"te ns/a {targetRef: {kind: Service, name: s}}; te ns/b {}", `warning spec.targetRef: left out here`},
	})
}

func TestTelemetriesAreDecodedInTheOrderOfTheirAge(t *testing.T) {
	set, err := rules.Parse("a.yaml", []byte(strings.ReplaceAll(telemetryObject(`tracing: [{random_sampling_percentage: 10}]`), "name: t", "name: b")+
		"---\n"+strings.ReplaceAll(telemetryObject(`metrics: [{overrides: [{match: {metric: 1}, disabled: true}]}], selector: {matchLabels: {a: b}}`), "name: t", "name: a")))
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Telemetries) != 2 || set.Len() != 2 || set.Telemetries[0].Name != "a" {
		t.Fatalf("%d telemetries", len(set.Telemetries))
	}
	override := set.Telemetries[0].Spec.Metrics[0].Overrides[0]
	if override.Match.GetMetric() != telemetry.MetricSelector_REQUEST_COUNT || !override.Disabled.GetValue() {
		t.Error(override)
	}
	if got := set.Telemetries[1].Spec.Tracing[0].RandomSamplingPercentage.GetValue(); got != 10 {
		t.Errorf("%v %% are sampled", got)
	}
}
