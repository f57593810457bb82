package telemetry

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	api "istio.io/api/telemetry/v1alpha1"
)

func (c *compiler) metrics() {
	for i, m := range c.resource.Spec.GetMetrics() {
		field := fmt.Sprintf("spec.metrics[%d]", i)
		c.providers(field, m.GetProviders())
		if every := m.GetReportingInterval().AsDuration(); every > 0 { // of what is counted when it ends there is nothing to tell before
			c.settings.sides[Source].interval, c.settings.sides[Destination].interval = every, every
		}
		for j, o := range m.GetOverrides() {
			c.override(fmt.Sprintf("%s.overrides[%d]", field, j), o)
		}
	}
}

// override applies one. "true on ALL_METRICS" drops the side's metrics as a whole,
// and any later override for the side brings them back.
func (c *compiler) override(field string, o *api.MetricsOverrides) {
	ids := c.matched(field, o.GetMatch())
	tags := c.tags(field, o)
	all := len(ids) == int(metricCount)
	for _, s := range c.sides(o.GetMatch().GetMode()) {
		if s.off = all && o.GetDisabled().GetValue(); s.off {
			continue
		}
		for _, id := range ids {
			if o.GetDisabled() != nil {
				s.metrics[id].disabled = o.GetDisabled().GetValue()
			}
			for _, t := range tags {
				s.metrics[id].set(t)
			}
		}
	}
}

// matched are the metrics that an override is about.
func (c *compiler) matched(field string, m *api.MetricSelector) []metricID {
	all := make([]metricID, metricCount)
	for id := range all {
		all[id] = metricID(id)
	}
	if custom, ok := m.GetMetricMatch().(*api.MetricSelector_CustomMetric); ok {
		return c.named(field, custom.CustomMetric, all)
	}
	which := m.GetMetric()
	switch {
	case which == api.MetricSelector_ALL_METRICS:
		return all
	case which > 0 && which <= api.MetricSelector_IstioMetric(metricCount):
		return all[which-1 : which]
	}
	c.refuse(field+".match.metric", "%d: no such metric", which)
	return nil
}

func (c *compiler) named(field, name string, all []metricID) []metricID {
	for i, id := range all {
		if id.String() == name || strings.TrimPrefix(id.String(), "istio_") == name {
			return all[i : i+1]
		}
	}
	if name == "" {
		c.refuse(field+".match.customMetric", "empty: want a name")
		return nil
	}
	c.warn(field+".match.customMetric", "%q: there is no such metric in this process", name)
	return nil
}

func (c *compiler) tags(field string, o *api.MetricsOverrides) (out []tag) {
	overrides := o.GetTagOverrides()
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		at := fmt.Sprintf("%s.tagOverrides[%s]", field, name)
		if t, ok := c.tag(at, name, overrides[name]); ok {
			out = append(out, t)
		}
	}
	return out
}

func (c *compiler) tag(field, name string, o *api.MetricsOverrides_TagOverride) (tag, bool) {
	remove := o.GetOperation() == api.MetricsOverrides_TagOverride_REMOVE
	switch {
	case name == "":
		c.warn(field, "empty: has no effect without a tag's name")
		return tag{}, false
	case remove && o.GetValue() != "":
		c.refuse(field+".value", "%q: REMOVE takes none", o.GetValue())
		return tag{}, false
	case remove:
		return tag{name: name}, true
	case o.GetValue() == "":
		c.refuse(field+".value", "empty: UPSERT wants an expression")
		return tag{}, false
	}
	p, err := c.expression(field+".value", o.GetValue())
	if err != nil { // Istio takes it, and says unknown
		c.warn(field+".value", "%q: %v: the tag is unknown", o.GetValue(), err)
	}
	return tag{name, &expression{p}}, true
}

// set puts a tag into its place among the rule's; the later one wins.
func (r *metricRule) set(t tag) {
	i, found := slices.BinarySearchFunc(r.tags, t.name, func(t tag, name string) int { return strings.Compare(t.name, name) })
	if found {
		r.tags[i] = t
		return
	}
	r.tags = slices.Insert(r.tags, i, t)
}

// finish derives what follows from the whole.
func (s *side) finish() {
	for id := range s.metrics {
		r := &s.metrics[id]
		r.disabled = r.disabled || s.off
		s.tagged = s.tagged || slices.ContainsFunc(r.tags, func(t tag) bool { return t.value != nil && t.value.depends() })
	}
}
