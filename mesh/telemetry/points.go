package telemetry

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
)

// newSeries decides by which labels an outcome is counted, metric by metric. A
// nil environment knows nothing of the request.
func (e *Edge) newSeries(v *view, o outcome, env *environment) *series {
	s := &series{edge: e, outcome: o, failed: o.failed(e.link.Protocol)}
	labels := slices.Concat(v.labels, outcomeLabels(e.link.Protocol, o))
	plain := newPoint(attribute.NewSet(labels...))
	for id := range metricCount {
		rule := &v.side.metrics[id]
		if rule.disabled || !e.link.Protocol.has(id) {
			continue
		}
		s.points[id] = plain
		if len(rule.tags) > 0 {
			s.points[id] = newPoint(attribute.NewSet(override(labels, rule.tags, env)...))
		}
	}
	e.t.recorder.keep(s)
	return s
}

// has says that a metric is about a protocol.
func (p Protocol) has(id metricID) bool {
	switch id {
	case tcpOpened, tcpClosed, tcpSent, tcpReceived:
		return p == TCP
	case requestMessages, responseMessages:
		return p == GRPC
	}
	return p != TCP
}

// override applies the tags of a rule: each replaces a label, adds one, or takes
// one away.
func override(labels []attribute.KeyValue, tags []tag, env *environment) []attribute.KeyValue {
	out := slices.Clone(labels)
	for i := range tags {
		t := &tags[i]
		out = slices.DeleteFunc(out, func(kv attribute.KeyValue) bool { return string(kv.Key) == t.name })
		if t.value != nil {
			out = append(out, attribute.String(t.name, t.value.text(env)))
		}
	}
	return out
}

// keep gives a series whose histograms are collected the points that they grow in.
func (r *recorder) keep(s *series) {
	if !r.pulled {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, p := range s.points {
		if p != nil && metricID(id).histogram() {
			own := *p
			own.tally = r.kept[id].of(p.set, metricID(id).scale())
			s.points[id] = &own
		}
	}
}
