package balancer

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/inmesh-go/inmesh/discovery"
)

// A Locality says how the place of a host counts: Istio's LocalityLoadBalancerSetting, as seen by
// one client. The zero Locality makes all hosts one flat set at priority 0.
type Locality struct {
	// Failover orders hosts into priorities by how near they are; a priority takes over what the
	// ones before it are not healthy enough for. Istio has it on where outlierDetection is, or
	// zone-aware balancing. Zero: off, and FailoverRegions and FailoverPriority mean nothing.
	Failover bool
	// Local is where this process runs. Zero: unknown, which is near to endpoints of unknown
	// place only.
	Local discovery.Locality
	// LocalLabels are the labels of this process, for FailoverPriority. Zero: none.
	LocalLabels map[string]string
	// Distribute fixes the shares of places. With it there is no failover (istio/istio#33470): it
	// excludes FailoverRegions and overrides FailoverPriority.
	// The first entry whose From matches Local counts; without any, each place gets a share by
	// the weights of its endpoints. Zero: shares are not fixed.
	Distribute []Distribute
	// FailoverRegions names the region to fail over to; the first entry whose From is Local's
	// region counts. Zero: all other regions are alike.
	FailoverRegions []RegionFailover
	// FailoverPriority orders hosts by labels instead of places: "key" wants the endpoint's value
	// to be LocalLabels', "key=value" wants that value. Zero: by places.
	FailoverPriority []string
	// RegionsOnly makes all places of a region alike: Istio's ZoneAwareLoadBalancerSetting, which
	// fails over from region to region. Zero: zones and subzones count too.
	RegionsOnly bool
}

// A Distribute fixes which percentage of the traffic from one place goes to which places.
type Distribute struct {
	// From is "region", "region/zone" or "region/zone/subzone"; the last part may be "*".
	From string
	// To has the same form, with percentages that sum to 100. A target that
	// matches several places is split between them by the weights of their endpoints. Places
	// that are not listed get nothing; the share of a target without endpoints goes to the others.
	To map[string]uint32
}

// A RegionFailover names the region that takes over for another.
type RegionFailover struct{ From, To string }

func (l Locality) validate() error {
	var faults []error
	for _, d := range l.Distribute {
		faults = append(faults, d.validate())
	}
	for _, f := range l.FailoverRegions {
		faults = append(faults, f.validate())
	}
	faults = append(faults, check(len(l.Distribute) == 0 || len(l.FailoverRegions) == 0,
		"Locality.Distribute: it stands beside FailoverRegions, want one or the other"))
	return errors.Join(faults...)
}

func (d Distribute) validate() error {
	faults := []error{checkPlace("From", d.From)}
	sum := uint64(0)
	for _, to := range slices.Sorted(maps.Keys(d.To)) {
		sum += uint64(d.To[to])
		faults = append(faults, checkPlace("To", to))
	}
	faults = append(faults, check(sum == 100, "Locality.Distribute.To: the percentages sum to %d, not 100", sum))
	return errors.Join(faults...)
}

// checkPlace is no stricter than Istio, which lets pass what then matches nothing, such as "us-*".
func checkPlace(field, place string) error {
	star := strings.IndexByte(place, '*')
	ok := (star < 0 || star == len(place)-1) && !slices.Contains(strings.Split(place, "/"), "")
	return check(ok, "Locality.Distribute.%s: %q is not region[/zone[/subzone]] with * at most at the end", field, place)
}

func (f RegionFailover) validate() error {
	return errors.Join(
		check(f.From != f.To, "Locality.FailoverRegions: from and to are both %q", f.From),
		check(!strings.ContainsAny(f.From+f.To, "/*"), "Locality.FailoverRegions: %q to %q: regions have no / or *", f.From, f.To),
	)
}

// weighted reports whether a priority's traffic is split by place before it is split by host.
// Istio does so only where the rule speaks of places or labels itself.
func (l Locality) weighted() bool {
	return len(l.Distribute) > 0 || l.Failover && !l.RegionsOnly && len(l.FailoverRegions)+len(l.FailoverPriority) > 0
}

// shares returns what each place gets under the first matching entry of Distribute, and whether
// there is one. weights are the summed weights of the places' endpoints.
//
// "Rounded up" is Istio's: the share of a wildcard is split in whole numbers.
func (l Locality) shares(weights map[discovery.Locality]float64) (shares map[discovery.Locality]float64, ok bool) {
	i := slices.IndexFunc(l.Distribute, func(d Distribute) bool { return placeMatches(d.From, l.Local) })
	if i < 0 {
		return nil, false
	}
	shares = make(map[discovery.Locality]float64)
	claims, sums := claim(l.Distribute[i].To, weights)
	for place, to := range claims {
		percent := float64(l.Distribute[i].To[to])
		shares[place] = math.Ceil(percent * weights[place] / sums[to])
	}
	return shares, true
}

// claim finds the target of each place, the most specific where rules that Istio would refuse
// overlap, and the weight that each target has in all.
func claim(to map[string]uint32, weights map[discovery.Locality]float64) (claims map[discovery.Locality]string, sums map[string]float64) {
	targets := slices.SortedFunc(maps.Keys(to), func(a, b string) int { return cmp.Compare(b, a) })
	claims, sums = make(map[discovery.Locality]string), make(map[string]float64)
	for place, weight := range weights {
		i := slices.IndexFunc(targets, func(target string) bool { return placeMatches(target, place) })
		if i >= 0 {
			claims[place] = targets[i]
			sums[targets[i]] += weight
		}
	}
	return claims, sums
}

// placeMatches compares as Istio does: a part that is missing or * matches everything.
func placeMatches(pattern string, place discovery.Locality) bool {
	for i, actual := range [...]string{place.Region, place.Zone, place.Subzone} {
		part, rest, _ := strings.Cut(pattern, "/")
		if part != "*" && part != actual && (part != "" || i == 0) {
			return false
		}
		pattern = rest
	}
	return true
}
