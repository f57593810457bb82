package balancer

import (
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// A maglev table is the lookup table of Google's Maglev (section 3.4 of
// https://research.google/pubs/maglev-a-fast-and-reliable-software-network-load-balancer/): hosts
// take turns to claim the next free slot of their own permutation of the table. Weights are
// honoured as in Envoy, by letting a host of half the greatest weight claim every other turn.
//
// Like a ring it holds all hosts of its set: the slots of an unavailable one fall to whoever
// has the next slot, which is as good as random.
type maglev []uint32

func (t maglev) choose(a ask) (int, uint64) {
	if a.again {
		a.at++
	}
	slot := a.at % uint64(len(t))
	return int(t[slot]), slot
}

// A claimant is one host while the table is filled.
type claimant struct {
	member       uint32
	next, skip   uint64 // the permutation: the next slot to try, and the stride
	weight, owed float64
}

func newMaglev(c candidates, size uint64) maglev {
	table, taken := make(maglev, size), make([]bool, size)
	claimants, greatest := newClaimants(c, size)
	for left := size; left > 0; {
		for i := range claimants {
			cl := &claimants[i]
			if cl.owed += cl.weight; cl.owed < greatest || left == 0 {
				continue
			}
			cl.owed -= greatest
			slot := cl.claim(taken)
			table[slot] = cl.member
			left--
		}
	}
	return table
}

// newClaimants orders the hosts by address, so that every process fills the same table whatever
// order its source names them in.
func newClaimants(c candidates, size uint64) (claimants []claimant, greatest float64) {
	claimants = make([]claimant, len(c.members))
	for i, m := range c.members {
		hash := xxhash.Sum64String(m.Address())
		claimants[i] = claimant{
			member: uint32(i),
			next:   hash % size,
			skip:   remix(hash)%max(size-1, 1) + 1, // the paper wants a second hash
			weight: c.weight(i, 0),
		}
		greatest = max(greatest, claimants[i].weight)
	}
	slices.SortFunc(claimants, func(a, b claimant) int {
		return strings.Compare(c.members[a.member].Address(), c.members[b.member].Address())
	})
	return claimants, greatest
}

// claim takes the next free slot. The size is prime, so the stride visits them all.
func (cl *claimant) claim(taken []bool) uint64 {
	size := uint64(len(taken))
	for taken[cl.next] {
		cl.next = (cl.next + cl.skip) % size
	}
	taken[cl.next] = true
	return cl.next
}
