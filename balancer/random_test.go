package balancer_test

import (
	"math/rand/v2"
	"testing"

	"github.com/inmesh-go/inmesh/balancer"
)

func TestAPickGoesByTheRandomNumberOfItsCaller(t *testing.T) {
	for _, policy := range []balancer.Policy{balancer.LeastRequest, balancer.Random, balancer.RingHash, balancer.Maglev, balancer.PeakEWMA} {
		for _, weights := range [][]uint32{nil, {1, 2, 3}} {
			b := balance(balancer.Config{Policy: policy}, endpoints(100, weights...))
			for range 100 {
				r := rand.Uint64()
				if one, two := b.Pick(pick{Random: r}), b.Pick(pick{Random: r}); one != two {
					t.Fatalf("%v %v: %d leads to %s and to %s", policy, weights, r, one.Address(), two.Address())
				}
			}
		}
	}
}

// Any says what Pick does, or nothing.
func TestAnyAgreesWithPick(t *testing.T) {
	for _, policy := range []balancer.Policy{balancer.LeastRequest, balancer.Random, balancer.RingHash, balancer.Maglev} {
		for _, weights := range [][]uint32{nil, {1, 2, 3}} {
			b := balance(balancer.Config{Policy: policy}, endpoints(10, weights...))
			b.Hosts()[3].SetAvailable(false) // which nobody has been told of
			for range 1000 {
				r := rand.Uint64()
				h, want := b.Any(r), b.Pick(pick{Random: r})
				if h != want && h != nil || h == b.Hosts()[3] {
					t.Fatalf("%v %v: %d leads to %s, and to %s", policy, weights, r, h.Address(), want.Address())
				}
			}
		}
	}
}

func TestAnySaysNothingWhereThereIsMoreToAsk(t *testing.T) {
	for name, b := range map[string]*balancer.Balancer[int]{
		"times":      balance(balancer.Config{Policy: balancer.PeakEWMA}, endpoints(3)),
		"priorities": balance(balancer.Config{Locality: failover("us")}, append(at("us", 3, 0), at("eu", 3, 3)...)),
		"nobody":     balance(balancer.Config{}, nil),
	} {
		if h := b.Any(rand.Uint64()); h != nil {
			t.Errorf("%s: got %s", name, h.Address())
		}
	}
}

// A key is what counts where a policy goes by keys, and nowhere else.
func TestTheRandomNumberOfACallerStandsBackBehindItsKey(t *testing.T) {
	for _, policy := range []balancer.Policy{balancer.RingHash, balancer.Maglev} {
		b := balance(balancer.Config{Policy: policy}, endpoints(100))
		want := b.Pick(pick{Hash: 7, HasHash: true})
		for range 100 {
			if got := b.Pick(pick{Hash: 7, HasHash: true, Random: rand.Uint64()}); got != want {
				t.Fatalf("%v: the key leads to %s and to %s", policy, want.Address(), got.Address())
			}
		}
	}
}

func TestRandomNumbersOfCallersSpreadEvenly(t *testing.T) {
	for _, policy := range []balancer.Policy{balancer.LeastRequest, balancer.Random} {
		eps := endpoints(3)
		b, counts := balance(balancer.Config{Policy: policy}, eps), map[string]int{}
		for range 30_000 {
			counts[b.Pick(pick{Random: rand.Uint64(), Hash: 7, HasHash: true}).Address()]++
		}
		wantShares(t, counts, eps, equal(3), 0)
	}
}
