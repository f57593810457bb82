package producer

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// A sum is one histogram of several Telemetries.
type sum struct {
	telemetry.Histogram
	points map[attribute.Distinct]int // where in Points
}

// total adds up histograms of the same name, point by point. It changes none of them.
func total(all ...[]telemetry.Histogram) (out []telemetry.Histogram) {
	var sums []*sum
	for _, histograms := range all {
		for i := range histograms {
			sums = add(sums, &histograms[i])
		}
	}
	for _, s := range sums {
		out = append(out, s.Histogram)
	}
	return out
}

func add(to []*sum, h *telemetry.Histogram) []*sum {
	i := slices.IndexFunc(to, func(s *sum) bool { return s.Name == h.Name })
	if i < 0 {
		s := &sum{*h, map[attribute.Distinct]int{}}
		s.Points = nil
		i, to = len(to), append(to, s)
	}
	s := to[i]
	if h.Start.Before(s.Start) {
		s.Start = h.Start
	}
	for j := range h.Points {
		s.add(&h.Points[j])
	}
	return to
}

func (s *sum) add(p *telemetry.Point) {
	i, known := s.points[p.Attributes.Equivalent()]
	if !known {
		s.points[p.Attributes.Equivalent()] = len(s.Points)
		s.Points = append(s.Points, telemetry.Point{Attributes: p.Attributes, Counts: slices.Clone(p.Counts), Sum: p.Sum})
		return
	}
	for bucket, n := range p.Counts {
		s.Points[i].Counts[bucket] += n
	}
	s.Points[i].Sum += p.Sum
}
