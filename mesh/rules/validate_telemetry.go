package rules

import (
	telemetry "istio.io/api/telemetry/v1alpha1"

	"github.com/inmesh-go/inmesh/mesh/internal/cel"
)

// validateTelemetry reports what is wrong with a Telemetry.
func validateTelemetry(c *checker, t *telemetry.Telemetry) {
	checkFields(c, t)
	validateTargets(c, t)
	if t.Selector != nil && c.meta.Namespace == rootNamespace {
		c.warn("spec.selector", "selects workloads of %s alone, in Istio too: what is for the whole mesh has no selector", rootNamespace)
	}
	for i, m := range t.Metrics {
		validateMetrics(c, nth("spec.metrics", i), m)
	}
	for i, tr := range t.Tracing {
		validateTracing(c, nth("spec.tracing", i), tr)
	}
	if len(t.Tracing) > 1 {
		c.warn("spec.tracing[1]", "Istio does not support a second entry; here, what it writes overrides the first")
	}
	for i, l := range t.AccessLogging {
		validateAccessLogging(c, nth("spec.accessLogging", i), l)
	}
}

// The providers that every Istio has. What they stand for there, a scrape and a
// log of the process's own, is what they are here.
const (
	scraped = "prometheus"
	logged  = "envoy"
)

// validateProviders checks names. They choose nothing, for what a process reports
// to is the process's to choose; builtIn is the one that promises no other.
func validateProviders(c *checker, path, builtIn string, refs []*telemetry.ProviderRef) {
	for i, ref := range refs {
		name := item(path, "providers", i) + ".name"
		switch ref.Name {
		case "":
			c.invalid(name, "empty: want a name")
		case builtIn:
		default:
			c.warn(name, "%q: stands for what this process reports to, whatever that is", brief(ref.Name))
		}
	}
}

func validateTracing(c *checker, path string, t *telemetry.Tracing) {
	validateProviders(c, path, "", t.Providers)
	if len(t.Providers) > 1 {
		c.warn(path+".providers", "Istio does not support a second one")
	}
	for name, tag := range sorted(t.CustomTags) {
		at := entry(path+".customTags", name)
		if name == "" {
			c.invalid(at, "empty: want the name of a tag")
		}
		validateCustomTag(c, at, tag)
	}
}

func validateCustomTag(c *checker, path string, tag *telemetry.Tracing_CustomTag) {
	switch t := tag.Type.(type) {
	case *telemetry.Tracing_CustomTag_Literal:
		validateGiven(c, path+".literal.value", t.Literal.GetValue())
	case *telemetry.Tracing_CustomTag_Environment:
		validateGiven(c, path+".environment.name", t.Environment.GetName())
	case *telemetry.Tracing_CustomTag_Header:
		validateGiven(c, path+".header.name", t.Header.GetName())
	case *telemetry.Tracing_CustomTag_Formatter: // it is among the unsupported fields
	default:
		c.warn(path, "has no effect: want literal, environment or header")
	}
}

func validateGiven(c *checker, path, value string) {
	if value == "" {
		c.invalid(path, "empty: want a value")
	}
}

func validateAccessLogging(c *checker, path string, l *telemetry.AccessLogging) {
	validateProviders(c, path, logged, l.Providers)
	if l.Filter == nil {
		return
	}
	at, text := path+".filter.expression", l.Filter.Expression
	if text == "" {
		c.invalid(at, "empty: want an expression")
	} else if err := validateExpression(c, at, text); err != nil {
		c.refuse(at, "%q: not an expression that inmesh can read: %v", brief(text), err)
	}
}

// validateExpression names the attributes that there are not, which are absent, as
// they are to Envoy. What cannot be parsed is left to the caller.
func validateExpression(c *checker, path, text string) error {
	p, err := cel.Parse(text)
	if err != nil {
		return err
	}
	for _, name := range p.Names() {
		if !cel.Attribute(name) {
			c.warn(path, "no attribute %s: there is none of this name, or none within a process", name)
		}
	}
	return nil
}

// general says that a Telemetry is for all workloads of its namespace.
func general(t *telemetry.Telemetry) bool {
	return len(t.GetSelector().GetMatchLabels()) == 0 && t.TargetRef == nil && len(t.TargetRefs) == 0
}

// warnTelemetries names those that another one for the same namespace outranks:
// of those without labels the oldest one is used, they are not merged.
func warnTelemetries(telemetries []*Telemetry) (faults Faults) {
	first := map[string]*Telemetry{}
	for _, t := range telemetries {
		if !general(t.Spec) {
			continue
		}
		if f := first[t.Namespace]; f != nil {
			faults = append(faults, warning(t, "spec",
				"has no effect: Telemetry %s/%s, which comes first, is for the same workloads", f.Namespace, f.Name))
			continue
		}
		first[t.Namespace] = t
	}
	return faults
}
