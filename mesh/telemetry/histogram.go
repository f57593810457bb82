package telemetry

import (
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

// A Histogram is one of Istio's, with all its points since the start. It is made
// for whoever hands it to an SDK.
type Histogram struct {
	Name, Unit, Description string
	Bounds                  []float64 // upper ones, inclusive; one more bucket follows the last
	Start                   time.Time
	Points                  []Point
}

// A Point is what one set of labels has come to.
type Point struct {
	Attributes attribute.Set
	Counts     []uint64 // one for each bucket
	Sum        float64
}

// A tally is a point that grows. The recorder's drain lock guards it.
type tally struct {
	attributes attribute.Set
	scale      *scale
	counts     [len(bounds) + 1]uint64
	sum        float64 // of parts of the scale's unit
}

// add takes in what a histogram measures of calls. Sizes are often the same.
func (t *tally) add(m metricID, calls []topology.Call) {
	last, bucket := int64(-1), 0
	for i := range calls {
		if v := m.of(&calls[i]); v != last {
			last, bucket = v, t.scale.bucket(v)
		}
		t.counts[bucket]++
		t.sum += float64(last)
	}
}

func (t *tally) point() Point {
	counts := t.counts
	return Point{Attributes: t.attributes, Counts: counts[:], Sum: t.sum / t.scale.unit}
}

// tallies are those of one histogram, by their labels.
type tallies map[attribute.Distinct]*tally

// most is how many points a histogram may have, as the SDK's own: series of
// settings that are no longer in force stay.
const most = 2000

func (ts tallies) of(set attribute.Set, by *scale) *tally {
	t := ts[set.Equivalent()]
	if t == nil && len(ts) >= most {
		set = attribute.NewSet(overflow)
		t = ts[set.Equivalent()]
	}
	if t == nil {
		t = &tally{attributes: set, scale: by}
		ts[set.Equivalent()] = t
	}
	return t
}

func (ts tallies) points() []Point {
	out := make([]Point, 0, len(ts))
	for _, t := range ts {
		out = append(out, t.point())
	}
	return out
}

// A HistogramSink takes over the histograms of whole processes: an SDK's reader
// through producer.Producer.
type HistogramSink interface {
	// Attach is called once by New. collect gives what there is at the moment; it
	// may be called from any goroutine, before and after Close. detach is called
	// by Close, after which the sink may keep what it collected last.
	Attach(collect func() []Histogram) (detach func())
}
