package balancer_test

import (
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/discovery"
)

// wantShares fails where a host's count of n picks is more than 5 standard deviations of a
// random draw from its share (less than one false alarm in a million per host), or more than
// slack of its share.
func wantShares(t *testing.T, counts map[string]int, eps []discovery.Endpoint, shares []float64, slack float64) {
	t.Helper()
	n, sum := 0, 0.0
	for i, ep := range eps {
		n, sum = n+counts[ep.Address], sum+shares[i]
	}
	for i, ep := range eps {
		p := shares[i] / sum
		want := p * float64(n)
		bound := 5*math.Sqrt(want*(1-p)) + slack*want + 1e-9
		if got := float64(counts[ep.Address]); math.Abs(got-want) > bound {
			t.Errorf("%s got %v of %d, want %.0f ± %.0f", ep.Address, got, n, want, bound)
		}
	}
}

func equal(n int) []float64 {
	shares := make([]float64, n)
	for i := range shares {
		shares[i] = 1
	}
	return shares
}

func TestEqualHostsShareEqually(t *testing.T) {
	slack := map[balancer.Policy]float64{balancer.RingHash: 0.2, balancer.Maglev: 0.01}
	for _, policy := range policies {
		for _, n := range []int{1, 2, 3, 7} {
			t.Run(fmt.Sprintf("%v/%d", policy, n), func(t *testing.T) {
				eps := endpoints(n)
				counts := count(balance(balancer.Config{Policy: policy}, eps), 30_000, pick{})
				wantShares(t, counts, eps, equal(n), slack[policy])
			})
		}
	}
}

func TestSharesFollowWeightsWhenIdle(t *testing.T) {
	slack := map[balancer.Policy]float64{balancer.RingHash: 0.2, balancer.Maglev: 0.01}
	for _, policy := range []balancer.Policy{balancer.LeastRequest, balancer.RoundRobin, balancer.RingHash, balancer.Maglev} {
		for _, weights := range [][]uint32{{1, 3}, {5, 1, 1}, {1, 2, 3, 4}, {100, 1, 1000}} {
			t.Run(fmt.Sprint(policy, weights), func(t *testing.T) {
				eps, shares := endpoints(len(weights), weights...), make([]float64, len(weights))
				for i, w := range weights {
					shares[i] = float64(w)
				}
				counts := count(balance(balancer.Config{Policy: policy}, eps), 60_000, pick{})
				wantShares(t, counts, eps, shares, slack[policy])
			})
		}
	}
}

func TestRandomIgnoresWeights(t *testing.T) {
	eps := endpoints(3, 1, 10, 100)
	counts := count(balance(balancer.Config{Policy: balancer.Random}, eps), 30_000, pick{})
	wantShares(t, counts, eps, equal(3), 0)
}

// A closed loop: so many requests are in flight, and each time any one of them ends the next begins.
func TestLeastRequestSharesFollowWeightsUnderLoad(t *testing.T) {
	for _, inFlight := range []int{2, 8, 64} {
		for _, weights := range [][]uint32{{1, 1, 1}, {1, 1, 2, 4}, {1, 1, 1, 1, 1, 1, 1, 10}} {
			t.Run(fmt.Sprint(inFlight, weights), func(t *testing.T) {
				eps := endpoints(len(weights), weights...)
				b, counts, flying := balance(balancer.Config{}, eps), map[string]int{}, []*host(nil)
				for i := range 60_000 {
					if len(flying) == inFlight {
						k := i * 7919 % inFlight
						flying[k].End(0, true, start)
						flying[k] = flying[inFlight-1]
						flying = flying[:inFlight-1]
					}
					h := b.Pick(pick{})
					h.Begin()
					counts[h.Address()]++
					flying = append(flying, h)
				}
				shares := make([]float64, len(weights))
				for i, w := range weights {
					shares[i] = float64(w)
				}
				wantShares(t, counts, eps, shares, 0.2)
			})
		}
	}
}

// With two hosts, two distinct draws see both, so that the busier one is never chosen. Draws with
// replacement would choose it once in four.
func TestLeastRequestComparesTwoDistinctHosts(t *testing.T) {
	b := balance(balancer.Config{}, endpoints(2))
	busy := b.Hosts()[0]
	busy.Begin()
	if got := count(b, 10_000, pick{})[busy.Address()]; got != 0 {
		t.Errorf("the busier of two hosts was picked %d times", got)
	}
	busy.End(0, true, start)
	if busy.Active() != 0 {
		t.Errorf("active is %d after one Begin and one End", busy.Active())
	}
}

func TestLeastRequestFillsIdleHostsFirst(t *testing.T) {
	b := balance(balancer.Config{}, endpoints(10))
	for range 1000 {
		b.Pick(pick{}).Begin()
	}
	for _, h := range b.Hosts() {
		if h.Active() < 95 || h.Active() > 105 { // random placement spreads by ±30
			t.Errorf("%s has %d of 1000 in flight, want about 100", h.Address(), h.Active())
		}
	}
}

func TestRoundRobinIsAnExactRotation(t *testing.T) {
	for _, n := range []int{1, 3, 10} {
		b := balance(balancer.Config{Policy: balancer.RoundRobin}, endpoints(n))
		var first []string
		for i := range 5 * n {
			got := b.Pick(pick{}).Address()
			if i < n {
				first = append(first, got)
			} else if got != first[i%n] {
				t.Fatalf("pick %d of %d hosts is %s, want %s again", i, n, got, first[i%n])
			}
		}
		if got := count(b, n, pick{}); len(got) != n {
			t.Errorf("one round of %d hosts met %v", n, got)
		}
	}
}

func TestRoundRobinClientsStartAtDifferentHosts(t *testing.T) {
	starts := map[string]bool{}
	for range 100 {
		starts[balance(balancer.Config{Policy: balancer.RoundRobin}, endpoints(10)).Pick(pick{}).Address()] = true
	}
	if len(starts) < 5 {
		t.Errorf("100 clients started at %d of 10 hosts", len(starts))
	}
}

// A rotation that began anew with each change would favour somebody, or be a random pick.
func TestRoundRobinKeepsItsPlaceThroughChanges(t *testing.T) {
	eps := endpoints(4)
	b := balance(balancer.Config{Policy: balancer.RoundRobin}, eps)
	counts := map[string]int{}
	for i := range 1000 {
		eps[0].Labels = map[string]string{"build": strconv.Itoa(i)}
		b.Update(eps, start)
		b.Refresh(start)
		counts[b.Pick(pick{}).Address()]++
	}
	for address, n := range counts {
		if n != 250 {
			t.Errorf("%s got %d of 1000, want 250", address, n)
		}
	}
}

// Within a round of the weights' sum every host gets exactly its weight, and a heavy host's turns
// are spread: never more than twice the even distance apart.
func TestRoundRobinIsSmoothByWeight(t *testing.T) {
	for _, weights := range [][]uint32{{5, 1, 1}, {3, 2}, {1, 2, 3, 4}, {10, 10, 30}} {
		b := balance(balancer.Config{Policy: balancer.RoundRobin}, endpoints(len(weights), weights...))
		sum := 0
		for _, w := range weights {
			sum += int(w)
		}
		counts, last, gap := map[string]int{}, map[string]int{}, map[string]int{}
		for i := range 3 * sum {
			a := b.Pick(pick{}).Address()
			if at, ok := last[a]; ok {
				gap[a] = max(gap[a], i-at)
			}
			last[a] = i
			counts[a]++
		}
		for i, w := range weights {
			if got := counts[address(i)]; got != 3*int(w) {
				t.Errorf("weights %v: host %d got %d in three rounds, want %d", weights, i, got, 3*w)
			}
			if even := (sum + int(w) - 1) / int(w); gap[address(i)] > 2*even {
				t.Errorf("weights %v: host %d waited %d turns, an even distance is %d", weights, i, gap[address(i)], even)
			}
		}
	}
}

func TestPeakEWMAPrefersFastHosts(t *testing.T) {
	b := balance(balancer.Config{Policy: balancer.PeakEWMA}, endpoints(3))
	slow := b.Hosts()[0]
	now := start
	answer := func(h *host) {
		h.Begin()
		rtt := time.Millisecond
		if h == slow {
			rtt = 20 * time.Millisecond
		}
		h.End(rtt, true, now)
	}
	for _, h := range b.Hosts() {
		answer(h)
	}
	counts := map[string]int{}
	for range 10_000 {
		now = now.Add(time.Millisecond)
		h := b.Pick(pick{Now: now})
		answer(h)
		counts[h.Address()]++
	}
	if got := counts[slow.Address()]; got > 500 {
		t.Errorf("the slow host got %d of 10000", got)
	}
}

func TestPeakEWMAPenalisesFailuresThatAreFast(t *testing.T) {
	b := balance(balancer.Config{Policy: balancer.PeakEWMA}, endpoints(2))
	bad, good := b.Hosts()[0], b.Hosts()[1]
	for _, h := range b.Hosts() {
		h.Begin()
		h.End(10*time.Millisecond, true, start)
	}
	bad.Begin()
	bad.End(time.Microsecond, false, start)
	counts := count(b, 1000, pick{Now: start})
	if counts[good.Address()] != 1000 {
		t.Errorf("after a fast failure the picks are %v, want all at %s", counts, good.Address())
	}
}

func TestPeakEWMAForgivesAPeakThatIsLongPast(t *testing.T) {
	b := balance(balancer.Config{Policy: balancer.PeakEWMA}, endpoints(2))
	peaked, steady := b.Hosts()[0], b.Hosts()[1]
	now := start
	peaked.Begin()
	peaked.End(time.Second, true, now)
	for range 120 {
		now = now.Add(time.Second)
		steady.Begin()
		steady.End(10*time.Millisecond, true, now)
	}
	if got := count(b, 100, pick{Now: now})[peaked.Address()]; got == 0 {
		t.Error("a host that nobody asks is never asked again")
	}
}

// A newcomer answers nothing yet: one request tries it, the next ones wait for what it says.
func TestPeakEWMATriesANewHostWithOneRequest(t *testing.T) {
	b := balance(balancer.Config{Policy: balancer.PeakEWMA}, endpoints(2))
	known, fresh := b.Hosts()[0], b.Hosts()[1]
	known.Begin()
	known.End(10*time.Millisecond, true, start)
	if h := b.Pick(pick{Now: start}); h != fresh {
		t.Fatalf("picked %s, want the host not known yet", h.Address())
	}
	fresh.Begin()
	if got := count(b, 1000, pick{Now: start})[fresh.Address()]; got != 0 {
		t.Errorf("%d more requests went to a host that has not answered one", got)
	}
}

func TestPicksAllocateNothing(t *testing.T) {
	for _, policy := range policies {
		cfg := balancer.Config{Policy: policy, Warmup: balancer.Warmup{Duration: time.Minute}}
		b := balance(cfg, endpoints(5, 1, 2))
		b.Update(endpoints(6, 1, 2), start.Add(time.Second))
		now, tried := start.Add(2*time.Second), b.Hosts()[:2]
		b.Hosts()[3].SetAvailable(false)
		got := testing.AllocsPerRun(1000, func() {
			h := b.Pick(pick{Hash: 7, HasHash: true, Now: now, Tried: tried, SkipPriorities: 1})
			h.Begin()
			h.End(time.Millisecond, false, now)
		})
		if got != 0 {
			t.Errorf("%v: %v allocations in a pick", policy, got)
		}
	}
}
