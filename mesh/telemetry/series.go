package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// A series is the requests of an edge that came out the same. Which metrics
// count it, and by which labels, is decided once; what it counts is guarded by
// the drain's lock.
type series struct {
	edge    *Edge
	outcome outcome
	points  [metricCount]*point // nil: disabled

	dirty  bool
	counts [metricCount]int64 // not yet told
}

// A point is one metric's labels, ready for the SDK.
type point struct {
	set    attribute.Set
	add    []metric.AddOption
	record []metric.RecordOption
	tally  *tally // of a histogram that is collected
}

func newPoint(set attribute.Set) *point {
	o := metric.WithAttributeSet(set)
	return &point{set: set, add: []metric.AddOption{o}, record: []metric.RecordOption{o}}
}

// count takes in a request. Histograms are recorded in floating milliseconds and
// bytes.
func (s *series) count(rec *record, r *recorder) {
	if !s.dirty {
		s.dirty = true
		r.dirty = append(r.dirty, s)
	}
	s.counts[requestCount]++
	s.counts[requestMessages] += int64(rec.requestMessages)
	s.counts[responseMessages] += int64(rec.responseMessages)
	ctx := context.Background()
	if rec.span != nil {
		ctx = trace.ContextWithSpanContext(ctx, *rec.span)
	}
	s.measure(ctx, rec, r)
}

func (s *series) measure(ctx context.Context, rec *record, r *recorder) {
	for id, v := range [...]float64{
		requestDuration: float64(rec.duration) / float64(time.Millisecond),
		requestSize:     float64(rec.requestBytes),
		responseSize:    float64(rec.responseBytes),
	} {
		if p := s.points[id]; p != nil && metricID(id).histogram() {
			r.record(ctx, metricID(id), p, v)
		}
	}
}

// tell tells the meter what has been counted since the last time.
func (s *series) tell(in *instruments) {
	for id, n := range s.counts {
		if p := s.points[id]; p != nil && n > 0 {
			in.counters[id].Add(context.Background(), n, p.add...)
		}
	}
	s.counts, s.dirty = [metricCount]int64{}, false
}
