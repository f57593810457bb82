package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// A series is the requests of an edge that came out the same. Which metrics
// count it, and by which labels, is decided once; what it counts is guarded by
// the drain's lock.
type series struct {
	edge    *Edge
	outcome outcome
	failed  bool                // for the topology
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

// count takes in requests.
func (u *run) count(r *recorder) {
	s := u.series
	if !s.dirty {
		s.dirty = true
		r.dirty = append(r.dirty, s)
	}
	s.counts[requestCount] += int64(len(u.records))
	if s.edge.link.Protocol == GRPC {
		u.countMessages()
	}
	if r.listened {
		u.measure(r)
	}
}

func (u *run) countMessages() {
	for i := range u.records {
		u.counts[requestMessages] += int64(u.records[i].requestMessages)
		u.counts[responseMessages] += int64(u.records[i].responseMessages)
	}
}

func (u *run) measure(r *recorder) {
	for id := firstHistogram; id < firstHistogram+histogramCount; id++ {
		switch p := u.points[id]; {
		case p == nil:
		case p.tally != nil:
			p.tally.add(id, u.calls)
		default:
			u.record(id, p, r.instruments)
		}
	}
}

// record leaves it to the meter.
func (u *run) record(id metricID, p *point, in *instruments) {
	for i := range u.calls {
		in.record(id, p, id.of(&u.calls[i]), u.records[i].span)
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
