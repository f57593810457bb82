package telemetry

import (
	"cmp"
	"fmt"
	"maps"
	"net/textproto"
	"os"
	"slices"

	api "istio.io/api/telemetry/v1alpha1"
)

func (c *compiler) tracing() {
	for i, t := range c.resource.Spec.GetTracing() {
		field := fmt.Sprintf("spec.tracing[%d]", i)
		c.providers(field, t.GetProviders())
		if t.GetUseRequestIdForTraceSampling() != nil {
			c.warn(field+".useRequestIdForTraceSampling", "has no effect: traces are sampled by their own context")
		}
		percent := t.GetRandomSamplingPercentage()
		if p := percent.GetValue(); !(p >= 0 && p <= 100) {
			c.refuse(field+".randomSamplingPercentage", "%v: want 0 to 100", p)
			percent = nil
		}
		tags := c.customTags(field, t)
		for _, s := range c.sides(t.GetMatch().GetMode()) {
			if percent != nil {
				s.tracing.decided, s.tracing.sampling = true, percent.GetValue()
			}
			s.tracing.merge(t, tags)
		}
	}
}

// merge takes over what is written; custom tags replace the ones before as a
// whole.
func (r *tracingRule) merge(t *api.Tracing, tags []customTag) {
	if t.GetDisableSpanReporting() != nil {
		r.noSpans = t.GetDisableSpanReporting().GetValue()
	}
	if t.GetDisableContextPropagation() != nil {
		r.noPropagation = t.GetDisableContextPropagation().GetValue()
	}
	if t.GetEnableIstioTags() != nil {
		r.noIstioTags = !t.GetEnableIstioTags().GetValue()
	}
	if len(t.GetCustomTags()) > 0 {
		r.tags = tags
	}
}

func (c *compiler) customTags(field string, t *api.Tracing) (out []customTag) {
	for _, name := range slices.Sorted(maps.Keys(t.GetCustomTags())) {
		at := fmt.Sprintf("%s.customTags[%s]", field, name)
		if name == "" {
			c.refuse(at, "empty: want a tag's name")
			continue
		}
		if tag, ok := c.customTag(at, t.GetCustomTags()[name]); ok {
			tag.name = name
			out = append(out, tag)
		}
	}
	return out
}

// customTag leaves out a tag of the environment that has no value, as Envoy does.
func (c *compiler) customTag(field string, t *api.Tracing_CustomTag) (tag customTag, ok bool) {
	switch v := t.GetType().(type) {
	case *api.Tracing_CustomTag_Literal:
		return customTag{value: v.Literal.GetValue()}, c.given(field+".literal.value", v.Literal.GetValue())
	case *api.Tracing_CustomTag_Environment:
		value := cmp.Or(os.Getenv(v.Environment.GetName()), v.Environment.GetDefaultValue())
		return customTag{value: value}, c.given(field+".environment.name", v.Environment.GetName()) && value != ""
	case *api.Tracing_CustomTag_Header:
		name := textproto.CanonicalMIMEHeaderKey(v.Header.GetName())
		return customTag{header: name, value: v.Header.GetDefaultValue()}, c.given(field+".header.name", name)
	case *api.Tracing_CustomTag_Formatter:
		c.warn(field+".formatter", "is not supported: the tag is left out")
		return tag, false
	}
	c.warn(field, "empty: want literal, environment or header: the tag is left out")
	return tag, false
}

func (c *compiler) given(field, value string) bool {
	if value == "" {
		c.refuse(field, "empty: want a value")
	}
	return value != ""
}
