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
	first   []uint32 // for each prefix of a hash, the first point that has it or a greater one
	points  []point  // by hash
	shift   int      // hash >> shift is its prefix
	minimum uint64   // what the ring was built for
}

// A point knows the 32 bits of its hash that follow the prefix. It knows not more, since what a pick
// costs on a large ring is its way through the caches.
type point struct{ tail, member uint32 }

// choose finds the key's point, or goes on to the next point from where it was. The expected
// number of steps is less than two at any size: hashes are evenly spread over the prefixes.
func (r *ring) choose(a ask) (int, uint64) {
	i := a.at + 1
	if !a.again {
		i = r.search(a.at)
	}
	if i >= uint64(len(r.points)) {
		i = 0
	}
	return int(r.points[i].member), i
}

func (r *ring) search(hash uint64) uint64 {
	prefix, tail := r.cut(hash)
	i, end := r.first[prefix], r.first[prefix+1]
	for i < end && r.points[i].tail < tail {
		i++
	}
	return uint64(i)
}

func (r *ring) cut(hash uint64) (prefix uint64, tail uint32) {
	return hash >> r.shift, uint32(hash >> (r.shift - 32))
}

func newRing(c candidates, minimum uint64) *ring {
	counts, total := pointCounts(c, minimum)
	prefix := bits.Len(uint(total)) - 1
	r := &ring{first: make([]uint32, 1<<prefix+1), points: make([]point, total), shift: 64 - prefix, minimum: minimum}
	hashes := hashPoints(c, counts, total)
	r.index(hashes)
	r.fill(hashes, counts)
	return r
}

// index counts the points of each prefix, and where the run of each begins.
func (r *ring) index(hashes []uint64) {
	for _, hash := range hashes {
		r.first[hash>>r.shift+1]++
	}
	for prefix := range len(r.first) - 1 {
		r.first[prefix+1] += r.first[prefix]
	}
}

// fill puts each point into its run and sorts the runs, most of which have one or two points.
func (r *ring) fill(hashes []uint64, counts []int) {
	next := slices.Clone(r.first)
	for member, n := range counts {
		for _, hash := range hashes[:n] {
			prefix, tail := r.cut(hash)
			r.points[next[prefix]] = point{tail: tail, member: uint32(member)}
			next[prefix]++
		}
		hashes = hashes[n:]
	}
	for prefix := range len(r.first) - 1 {
		if run := r.points[r.first[prefix]:r.first[prefix+1]]; len(run) > 1 {
			slices.SortFunc(run, func(p, q point) int { return cmp.Compare(p.tail, q.tail) })
		}
	}
}

func hashPoints(c candidates, counts []int, total int) []uint64 {
	hashes := make([]uint64, 0, total)
	var name []byte
	for i, m := range c.members {
		name = append(append(name[:0], m.Address()...), '_')
		stem := len(name)
		for k := range counts[i] {
			name = strconv.AppendInt(name[:stem], int64(k), 10)
			hashes = append(hashes, xxhash.Sum64(name))
		}
	}
	return hashes
}

func pointCounts(c candidates, minimum uint64) (counts []int, total int) {
	unit, per := pointsPerUnit(c, minimum)
	counts = make([]int, len(c.members))
	for i := range counts {
		counts[i] = max(1, int(c.weight(i, 0)/unit*per+0.5))
		total += counts[i]
	}
	return counts, total
}

// fewestPoints of the lightest host on a large ring, where Envoy gives it one: its share is then
// within half of what it should be, two times in three. More make the ring too large for the
// caches; who wants more even shares all the same raises MinimumRingSize.
const fewestPoints = 4

// pointsPerUnit returns the least weight and how many points it gets: minimum at first, and an
// eighth of that whenever an eighth is enough for the whole ring.
//
// Envoy gives each host just enough points for the minimum, so that with each host that comes
// all the others lose some, and keys move between hosts that have nothing to do with the change.
// Coarse steps keep everybody's points in place as the set grows and shrinks: of n hosts one more
// takes 1/(n+1) of the keys and no other key moves, but where their number crosses a step (by
// default 8, 64 and 256).
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
