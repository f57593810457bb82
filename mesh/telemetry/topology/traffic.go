package topology

import (
	"cmp"
	"slices"
)

// plus adds what two processes report; either may be nil.
func plus(a, b *Traffic) *Traffic {
	if b == nil {
		return a
	}
	if a == nil {
		a = new(Traffic)
	}
	return &Traffic{
		Requests:      a.Requests + b.Requests,
		Errors:        a.Errors + b.Errors,
		BytesSent:     a.BytesSent + b.BytesSent,
		BytesReceived: a.BytesReceived + b.BytesReceived,
		Connections:   a.Connections + b.Connections,
		Latency:       together(a.Latency, b.Latency),
	}
}

// together merges two lists of buckets, each in order.
func together(a, b []Bucket) []Bucket {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y Bucket) int { return cmp.Compare(x.UpTo, y.UpTo) })
	var out []Bucket
	for _, x := range all {
		if n := len(out); n > 0 && out[n-1].UpTo == x.UpTo {
			out[n-1].Requests += x.Requests
		} else {
			out = append(out, x)
		}
	}
	return out
}

// quantile is where the bucket ends that the q-th part of the requests reaches;
// 0 if there were none.
func (t *Traffic) quantile(q float64) float64 {
	total := 0.0
	for _, b := range t.Latency {
		total += b.Requests
	}
	seen := 0.0
	for _, b := range t.Latency {
		if seen += b.Requests; seen >= q*total {
			return b.UpTo
		}
	}
	return 0
}
