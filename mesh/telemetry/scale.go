package telemetry

import (
	"math/bits"
	"time"
)

// bounds are the upper ones of a histogram's buckets, Envoy's default.
var bounds = [...]float64{0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000}

// A scale finds the bucket of what is measured in whole parts of a histogram's unit.
type scale struct {
	unit   float64 // so many parts make one
	bounds [len(bounds)]int64
	first  [65]uint8 // by how many bits a value has: the bucket of the least such
}

// Durations are measured in nanoseconds and told in milliseconds.
var (
	durations = newScale(float64(time.Millisecond))
	sizes     = newScale(1)
)

func (m metricID) scale() *scale {
	if m == requestDuration {
		return &durations
	}
	return &sizes
}

func newScale(unit float64) scale {
	s := scale{unit: unit}
	for i, b := range bounds {
		s.bounds[i] = int64(b * unit) // what is whole is more than half a byte as it is more than none
	}
	for n := range s.first {
		s.first[n] = uint8(s.from(0, 1<<n>>1))
	}
	return s
}

// bucket is where v belongs: there are one or two bounds to an octave.
func (s *scale) bucket(v int64) int {
	v = max(v, 0)
	return s.from(int(s.first[bits.Len64(uint64(v))]), v)
}

// from looks for the first bound, from the i-th, that v does not exceed.
func (s *scale) from(i int, v int64) int {
	for i < len(s.bounds) && v > s.bounds[i] {
		i++
	}
	return i
}
