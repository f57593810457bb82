package balancer_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/discovery"
)

func place(s string) discovery.Locality {
	l, err := discovery.ParseLocality(s)
	if err != nil {
		panic(err)
	}
	return l
}

func failover(local string) balancer.Locality {
	return balancer.Locality{Failover: true, Local: place(local)}
}

func TestPriorityFollowsThePlace(t *testing.T) {
	places := []string{"us/a/1", "us/a/2", "us/b/1", "eu/a/1", "asia/a/1", ""}
	toEurope := failover("us/a/1")
	toEurope.FailoverRegions = []balancer.RegionFailover{{From: "asia", To: "us"}, {From: "us", To: "eu"}}
	fromElsewhere := failover("us/a/1")
	fromElsewhere.FailoverRegions = []balancer.RegionFailover{{From: "eu", To: "asia"}}
	byLabels := toEurope
	byLabels.FailoverPriority = []string{"tier"}
	byLabels.LocalLabels = map[string]string{"tier": "gold"}
	off := toEurope
	off.Failover = false
	regions, labelled := toEurope, byLabels
	regions.RegionsOnly, labelled.RegionsOnly, labelled.FailoverRegions = true, true, nil
	for _, c := range []struct {
		name string
		l    balancer.Locality
		want []int
	}{
		{"no failover", off, []int{0, 0, 0, 0, 0, 0}},
		{"by distance", failover("us/a/1"), []int{0, 1, 2, 3, 3, 3}},
		{"named region before the others", toEurope, []int{0, 1, 2, 3, 4, 4}},
		{"an entry for another region", fromElsewhere, []int{0, 1, 2, 3, 3, 3}},
		{"gaps are closed", failover("eu"), []int{1, 1, 1, 0, 1, 1}},
		{"unknown is near to unknown", failover(""), []int{1, 1, 1, 1, 1, 0}},
		// Rank by label is 0 for the gold ones (even) and 1 for the others, times five.
		{"labels, then places", byLabels, []int{0, 3, 1, 4, 2, 5}},
		{"a region's zones are alike", regions, []int{0, 0, 0, 1, 2, 2}},
		{"labels, then regions, though none takes over", labelled, []int{0, 2, 0, 3, 1, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var eps []discovery.Endpoint
			for i, p := range places {
				ep := discovery.Endpoint{Address: address(i), Locality: place(p)}
				if i%2 == 0 {
					ep.Labels = map[string]string{"tier": "gold"}
				}
				eps = append(eps, ep)
			}
			if got := prioritiesOf(balance(balancer.Config{Locality: c.l}, eps)); !slices.Equal(got, c.want) {
				t.Errorf("priorities of %q: %v, want %v", places, got, c.want)
			}
		})
	}
}

func prioritiesOf(b *balancer.Balancer[int]) (priorities []int) {
	for _, h := range b.Hosts() {
		priorities = append(priorities, h.Priority())
	}
	return priorities
}

func TestPriorityFollowsLabels(t *testing.T) {
	const network, zone = "topology.istio.io/network", "topology.kubernetes.io/zone"
	local := map[string]string{network: "n1", "rack": "r1", "disk": "ssd"}
	for _, c := range []struct {
		name   string
		keys   []string
		labels []map[string]string
		want   []int
	}{
		{"first mismatch counts", []string{"rack", "disk"},
			[]map[string]string{{"rack": "r1", "disk": "ssd"}, {"rack": "r1"}, {"disk": "ssd"}, {}}, []int{0, 1, 2, 2}},
		{"a literal stands for the client's value", []string{"rack=r9"},
			[]map[string]string{{"rack": "r9"}, {"rack": "r1"}}, []int{0, 1}},
		{"a label that both lack matches", []string{"floor"},
			[]map[string]string{{}, {"floor": "2"}}, []int{0, 1}},
		{"other networks are ordered among themselves", []string{network, "rack", "disk"},
			[]map[string]string{
				{network: "n1", "rack": "r1", "disk": "ssd"}, // 0
				{network: "n1", "rack": "r1"},                // 1
				{network: "n1"},                              // 2
				{network: "n2", "rack": "r1", "disk": "ssd"}, // 3
				{network: "n2", "rack": "r1"},                // 4
				{network: "n2"},                              // 5
			}, []int{0, 1, 2, 3, 4, 5}},
		{"the network elsewhere is a label like others", []string{"rack", network, "disk"},
			[]map[string]string{{"rack": "r1", network: "n2", "disk": "ssd"}, {"rack": "r1", network: "n2"}, {"rack": "r1", network: "n1"}},
			[]int{1, 1, 0}},
		{"labels of places come from the place", []string{zone},
			[]map[string]string{{}, {zone: "z"}}, []int{0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eps := make([]discovery.Endpoint, len(c.labels))
			for i, labels := range c.labels {
				eps[i] = discovery.Endpoint{Address: address(i), Labels: labels, Locality: place("us/a")}
			}
			l := balancer.Locality{Failover: true, Local: place("us/a"), LocalLabels: local, FailoverPriority: c.keys}
			if got := prioritiesOf(balance(balancer.Config{Locality: l}, eps)); !slices.Equal(got, c.want) {
				t.Errorf("priorities are %v, want %v", got, c.want)
			}
		})
	}
}

// The worked values of Envoy's documentation: health of the first priority and what it keeps.
func TestUnhealthyPrioritySpillsOver(t *testing.T) {
	for healthy, want := range map[int]int{100: 100, 72: 100, 71: 99, 50: 70, 25: 35, 0: 0} {
		for _, policy := range policies {
			eps := slices.Concat(at("us", 100, 0), at("eu", 10, 100))
			b := balance(balancer.Config{Policy: policy, Locality: failover("us")}, eps)
			for _, h := range b.Hosts()[healthy:100] {
				h.SetAvailable(false)
			}
			b.Refresh(start)
			if got := b.Snapshot(start).Priorities[0].Load; math.Abs(got-float64(want)/100) > 1e-9 {
				t.Errorf("%d%% healthy: the first priority's load is %v, want %d%%", healthy, got, want)
			}
			near, n := 0, 20_000
			for range n {
				near += 1 - b.Pick(pick{Hash: rand.Uint64(), HasHash: true}).Priority()
			}
			if got := 100 * float64(near) / float64(n); math.Abs(got-float64(want)) > 2 {
				t.Errorf("%v, %d%% healthy: the first priority got %.1f%% of the picks, want %d%%", policy, healthy, got, want)
			}
		}
	}
}

func TestLoadsAreNormalisedWhenAllPrioritiesTogetherAreTooSick(t *testing.T) {
	eps := slices.Concat(at("us", 10, 0), at("eu", 10, 10))
	b := balance(balancer.Config{Locality: failover("us")}, eps)
	for i, h := range b.Hosts() {
		h.SetAvailable(i < 2 || 10 <= i && i < 14) // 20 % and 40 %: health 28 and 56
	}
	b.Refresh(start)
	for i, want := range []float64{28. / 84, 56. / 84} {
		if got := b.Snapshot(start).Priorities[i].Load; math.Abs(got-want) > 1e-9 {
			t.Errorf("load of priority %d is %v, want %v", i, got, want)
		}
	}
}

func TestNothingHealthyAnywhereIsNil(t *testing.T) {
	for _, policy := range policies {
		for _, refresh := range []bool{false, true} {
			b := balance(balancer.Config{Policy: policy, Locality: failover("us")}, slices.Concat(at("us", 3, 0), at("eu", 3, 3)))
			for _, h := range b.Hosts() {
				h.SetAvailable(false)
			}
			if refresh {
				b.Refresh(start)
			}
			if h := b.Pick(pick{}); h != nil {
				t.Errorf("%v, refreshed %v: picked %s, want nil", policy, refresh, h.Address())
			}
		}
		if h := balance(balancer.Config{Policy: policy}, nil).Pick(pick{}); h != nil {
			t.Errorf("%v: picked %s of no hosts", policy, h.Address())
		}
	}
}

func TestSkippedPrioritiesAreAvoidedWhileOthersCanServe(t *testing.T) {
	b := balance(balancer.Config{Locality: failover("us/a")}, slices.Concat(at("us/a", 2, 0), at("us/b", 2, 2), at("eu", 2, 4)))
	for skip, want := range map[uint64]int{0: 0, 1: 1, 1 | 2: 2, 1 | 4: 1, 1 | 2 | 4: 0, 1 << 63: 0} {
		for range 100 {
			if got := b.Pick(pick{SkipPriorities: skip}).Priority(); got != want {
				t.Fatalf("skip %b: picked priority %d, want %d", skip, got, want)
			}
		}
	}
}

func TestDistribute(t *testing.T) {
	eps := slices.Concat(at("us/a", 3, 0), at("us/b", 1, 3), at("eu/a", 1, 4), at("eu/b", 1, 5), at("asia", 2, 6))
	from := func(from string, to map[string]uint32) []balancer.Distribute {
		return []balancer.Distribute{{From: "mars", To: map[string]uint32{"*": 100}}, {From: from, To: to}, {From: "*", To: map[string]uint32{"asia": 100}}}
	}
	for _, c := range []struct {
		name       string
		distribute []balancer.Distribute
		want       map[string]float64 // by place
	}{
		{"listed places only", from("us/a", map[string]uint32{"us/a": 80, "eu/a": 20}), map[string]float64{"us/a": 80, "eu/a": 20}},
		{"a wildcard's share is split by weight", from("us/*", map[string]uint32{"us/*": 80, "asia": 20}), map[string]float64{"us/a": 60, "us/b": 20, "asia": 20}},
		{"a region means all in it", from("us", map[string]uint32{"us": 50, "eu": 50}), map[string]float64{"us/a": 38, "us/b": 13, "eu/a": 25, "eu/b": 25}},
		{"the share of a place without endpoints goes to the others", from("us", map[string]uint32{"us/a": 30, "eu/b": 30, "moon": 40}), map[string]float64{"us/a": 50, "eu/b": 50}},
		{"the first match counts", from("eu", map[string]uint32{"us": 100}), map[string]float64{"asia": 100}},
	} {
		for _, policy := range policies {
			t.Run(fmt.Sprintf("%s/%v", c.name, policy), func(t *testing.T) {
				b := balance(balancer.Config{Policy: policy, Locality: balancer.Locality{Local: place("us/a"), Distribute: c.distribute}}, eps)
				got, n, sum := map[string]float64{}, 20_000, 0.0
				for range n {
					got[b.Pick(pick{}).Endpoint().Locality.String()]++
				}
				for _, share := range c.want {
					sum += share
				}
				for _, p := range []string{"us/a", "us/b", "eu/a", "eu/b", "asia"} {
					slack := 2.0
					if policy == balancer.RingHash {
						slack = 6
					}
					want := 100 * c.want[p] / sum
					if percent := 100 * got[p] / float64(n); math.Abs(percent-want) > slack || want == 0 && percent > 0 {
						t.Errorf("%s got %.1f%%, want %.1f%%", p, percent, want)
					}
				}
			})
		}
	}
}

func TestDistributeWithoutAMatchLeavesSharesToWeights(t *testing.T) {
	l := balancer.Locality{Local: place("us"), Distribute: []balancer.Distribute{{From: "eu", To: map[string]uint32{"eu": 100}}}}
	eps := slices.Concat(at("us", 3, 0), at("eu", 1, 3))
	wantShares(t, count(balance(balancer.Config{Locality: l}, eps), 20_000, pick{}), eps, equal(4), 0)
}

// A place that has lost half its hosts keeps 70 % of its share: Envoy's over-provisioning within
// a priority.
func TestASickPlaceLosesShareToItsPriority(t *testing.T) {
	l := balancer.Locality{Local: place("us"), Distribute: []balancer.Distribute{{From: "us", To: map[string]uint32{"us": 50, "eu": 50}}}}
	b := balance(balancer.Config{Locality: l}, slices.Concat(at("us", 4, 0), at("eu", 4, 4)))
	for _, h := range b.Hosts()[:2] {
		h.SetAvailable(false)
	}
	b.Refresh(start)
	counts, us := count(b, 20_000, pick{}), 0
	for _, h := range b.Hosts()[:4] {
		us += counts[h.Address()]
	}
	if got, want := float64(us)/20_000, 0.7/1.7; math.Abs(got-want) > 0.02 {
		t.Errorf("the sick place got %.3f, want %.3f", got, want)
	}
}

// Without outlier detection Istio neither fails over nor weighs places, whatever failover says.
func TestFailoverRegionsMeanNothingWithoutFailover(t *testing.T) {
	l := balancer.Locality{Local: place("us"), FailoverRegions: []balancer.RegionFailover{{From: "us", To: "eu"}}}
	eps := slices.Concat(at("us", 2, 0), at("eu", 2, 2))
	wantShares(t, count(balance(balancer.Config{Locality: l}, eps), 20_000, pick{}), eps, equal(4), 0)
}

// naive computes every host's share anew from the words of the specification: floats, no sets.
func naive(l balancer.Locality, threshold int, eps []discovery.Endpoint, up []bool) []float64 {
	rank := func(ep discovery.Endpoint) int {
		switch a, b := ep.Locality, l.Local; {
		case a.Region != b.Region:
			return 3
		case a.Zone != b.Zone:
			return 2
		case a.Subzone != b.Subzone:
			return 1
		}
		return 0
	}
	hosts, healthy := [4]int{}, [4]int{}
	for i, ep := range eps {
		if ep.Health != discovery.Draining {
			hosts[rank(ep)]++
			healthy[rank(ep)] += btoi(up[i] && ep.Health == discovery.Healthy)
		}
	}
	sum, all, total := 0, true, 0
	health := [4]int{}
	for p := range hosts {
		if hosts[p] > 0 {
			health[p] = min(100, 140*healthy[p]/hosts[p])
		}
		sum, total = min(100, sum+health[p]), total+hosts[p]
	}
	panics := [4]bool{}
	for p := range hosts {
		panics[p] = sum < 100 && 100*healthy[p] < threshold*hosts[p]
		all = all && (panics[p] || hosts[p] == 0)
	}
	shares, left := make([]float64, len(eps)), 1.0
	for p := range hosts {
		load := 0.0
		switch {
		case all && total > 0:
			load = float64(hosts[p]) / float64(total)
		case sum > 0:
			load = min(left, float64(health[p])/float64(sum))
		}
		left -= load
		for i, ep := range eps {
			if rank(ep) != p || ep.Health == discovery.Draining {
				continue
			}
			if panics[p] {
				shares[i] = load / float64(hosts[p])
			} else if up[i] && ep.Health == discovery.Healthy && healthy[p] > 0 {
				shares[i] = load / float64(healthy[p])
			}
		}
	}
	return shares
}

func TestSharesAgreeWithANaiveCalculation(t *testing.T) {
	places := []string{"us/a/1", "us/a/2", "us/b/1", "eu/a/1", "asia"}
	for range 3000 {
		eps, up := endpoints(1+rand.IntN(12)), make([]bool, 12)
		for i := range eps {
			eps[i].Locality = place(places[rand.IntN(len(places))])
			eps[i].Health = discovery.Health([]int{0, 0, 0, 1, 2}[rand.IntN(5)])
			up[i] = rand.IntN(3) > 0
		}
		l, threshold := failover(places[rand.IntN(len(places))]), rand.IntN(101)
		cfg := balancer.Config{Locality: l, PanicThreshold: threshold, Policy: policies[rand.IntN(len(policies))]}
		cfg.MinimumRingSize, cfg.TableSize = 64, 251
		b := balance(cfg, eps)
		for i, h := range b.Hosts() {
			h.SetAvailable(up[i])
		}
		b.Refresh(start)
		want, anybody := naive(l, threshold, eps, up), false
		for i, h := range b.Snapshot(start).Hosts {
			anybody = anybody || want[i] > 0
			if math.Abs(h.Share-want[i]) > 1e-9 {
				t.Fatalf("share of %d is %v, want %v (threshold %d, local %v, up %v)\n%+v", i, h.Share, want[i], threshold, l.Local, up, eps)
			}
		}
		for range 20 {
			h := b.Pick(pick{})
			if (h != nil) != anybody || h != nil && want[slices.Index(b.Hosts(), h)] == 0 {
				t.Fatalf("picked %v, shares %v", h, want)
			}
		}
	}
}
