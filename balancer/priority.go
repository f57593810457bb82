package balancer

import (
	"slices"
	"strings"

	"github.com/inmesh-go/inmesh/discovery"
)

// placeRanks is how many ranks places alone can give.
const placeRanks = 5

// networkLabel is the one that Istio treats apart.
const networkLabel = "topology.istio.io/network"

// A ranker gives each endpoint its rank: lower is more wanted, and gaps do not matter.
type ranker struct {
	Locality
	wants []want // FailoverPriority, resolved for this process
}

type want struct{ key, value string }

func newRanker(l Locality) ranker {
	r := ranker{Locality: l}
	for _, entry := range l.FailoverPriority {
		key, value, literal := strings.Cut(entry, "=")
		if !literal {
			value = label(l.LocalLabels, l.Local, key)
		}
		r.wants = append(r.wants, want{key: key, value: value})
	}
	return r
}

// rank follows Istio's ApplyLocalityLoadBalancer: labels first, then places where both are
// given. As there are five ranks of places, the rank by labels counts five times.
func (r ranker) rank(ep *discovery.Endpoint) int {
	switch {
	case !r.Failover || len(r.Distribute) > 0:
		return 0
	case len(r.wants) == 0:
		return r.placeRank(ep.Locality)
	case len(r.FailoverRegions) == 0 && !r.RegionsOnly:
		return r.labelRank(ep)
	}
	return r.labelRank(ep)*placeRanks + r.placeRank(ep.Locality)
}

// placeRank counts from the same subzone (0), zone (1) and region (2) to other regions (3), of
// which those that a failover rule passes over are last (4).
func (r ranker) placeRank(place discovery.Locality) int {
	local := r.Local
	switch {
	case place == local, r.RegionsOnly && place.Region == local.Region:
		return 0
	case place.Region == local.Region && place.Zone == local.Zone:
		return 1
	case place.Region == local.Region:
		return 2
	}
	for _, f := range r.FailoverRegions {
		if f.From == local.Region {
			return 3 + btoi(f.To != place.Region)
		}
	}
	return 3
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// labelRank is 0 where all N labels match, else N-j for the first that does not, j. The network in
// the first place is not just the most important label: a mismatch adds N, and the rest still
// counts, so that other networks are ordered among themselves.
func (r ranker) labelRank(ep *discovery.Endpoint) int {
	rank := 0
	for j, w := range r.wants {
		if label(ep.Labels, ep.Locality, w.key) == w.value {
			continue
		}
		rank += len(r.wants) - j
		if j > 0 || w.key != networkLabel {
			break
		}
	}
	return rank
}

// label reads a label; those of places come from the place where it is known, as Istio augments
// labels.
func label(labels map[string]string, place discovery.Locality, key string) string {
	if part := place.Label(key); part != "" {
		return part
	}
	return labels[key]
}

// compact replaces ranks by priorities 0 to N without gaps.
func compact(ranks []int) (levels int) {
	distinct := slices.Clone(ranks)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	for i, rank := range ranks {
		ranks[i], _ = slices.BinarySearch(distinct, rank)
	}
	return len(distinct)
}
