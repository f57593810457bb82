package balancer

import (
	"cmp"
	"math/bits"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// Hash returns the hash of a key for Pick.Hash. It is the same in every process and release
// (xxHash64 with seed 0), so that all callers send a key to the same host.
func Hash(key string) uint64 { return xxhash.Sum64String(key) }

// A ring is consistent hashing (Karger and others, https://dl.acm.org/doi/10.1145/258533.258660)
// in the form of Envoy's ring hash: host i has points at the hashes of "address_0", "address_1", …
// and a key belongs to the next point at or after its hash. The ring holds all hosts of its set,
// also the unavailable: those are walked over, so that an ejection moves their keys only.
//
// It is not Envoy's ring point for point: see pointsPerUnit.
type ring struct {
	points []point  // by hash
	first  []uint32 // for each prefix of a hash, the first point that has it or a greater one
	shift  int      // hash >> shift is its prefix

	minimum uint64 // what it was built for
}

type point struct {
	hash   uint64
	member uint32
}

// choose finds the key's point. The expected number of steps is less than two at any size,
// since hashes are evenly spread over the prefixes.
func (r *ring) choose(a ask) (int, uint64) {
	i := int(r.first[a.at>>r.shift])
	for i < len(r.points) && r.points[i].hash < a.at {
		i++
	}
	if i == len(r.points) {
		i = 0
	}
	return int(r.points[i].member), r.points[i].hash + 1
}

func newRing(c candidates, minimum uint64) *ring {
	points := allPoints(c, minimum)
	prefix := bits.Len(uint(len(points)))
	r := &ring{first: make([]uint32, 1<<prefix), shift: 64 - prefix, minimum: minimum}
	r.points = r.sorted(points)
	return r
}

// sorted is a bucket sort by prefix, which leaves the index behind.
func (r *ring) sorted(points []point) []point {
	ends := make([]uint32, len(r.first)+1)
	for _, p := range points {
		ends[p.hash>>r.shift+1]++
	}
	for b := range r.first {
		r.first[b] = ends[b]
		ends[b+1] += ends[b]
	}
	out := make([]point, len(points))
	for _, p := range points {
		b := p.hash >> r.shift
		out[ends[b]] = p
		ends[b]++
	}
	for b, from := range r.first {
		slices.SortFunc(out[from:ends[b]], func(p, q point) int { return cmp.Compare(p.hash, q.hash) })
	}
	return out
}

func allPoints(c candidates, minimum uint64) []point {
	unit, per := pointsPerUnit(c, minimum)
	var points []point
	var name []byte
	for i, m := range c.members {
		name = append(append(name[:0], m.Address()...), '_')
		stem := len(name)
		for k := range max(1, int(c.weight(i, 0)/unit*per+0.5)) {
			name = strconv.AppendInt(name[:stem], int64(k), 10)
			points = append(points, point{hash: xxhash.Sum64(name), member: uint32(i)})
		}
	}
	return points
}

// fewestPoints of the lightest host on a large ring: its share is then within a quarter of what
// it should be, two times in three.
const fewestPoints = 16

// pointsPerUnit returns the least weight and how many points it gets: minimum at first, and an
// eighth of that whenever an eighth is enough for the whole ring.
//
// Envoy gives each host just enough points for the minimum, so that with each host that comes
// all the others lose some, and keys move between hosts that have nothing to do with the change.
// Coarse steps keep everybody's points in place as the set grows and shrinks: of n hosts one
// more takes 1/(n+1) of the keys, and no other key moves, but where the number of hosts crosses 8 or 64.
func pointsPerUnit(c candidates, minimum uint64) (unit, per float64) {
	unit, sum := c.weight(0, 0), 0.0
	for i := range c.members {
		unit, sum = min(unit, c.weight(i, 0)), sum+c.weight(i, 0)
	}
	units := sum / unit
	per = float64(minimum)
	for per > fewestPoints && units*max(per/8, fewestPoints) >= float64(minimum) {
		per = max(per/8, fewestPoints)
	}
	return unit, min(per, maxRingSize/units)
}
