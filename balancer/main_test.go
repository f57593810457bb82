package balancer_test

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/discovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	host = balancer.Host[int]
	pick = balancer.Pick[int]
)

// start is when tests begin; all time passes by hand.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var policies = []balancer.Policy{
	balancer.LeastRequest, balancer.RoundRobin, balancer.Random,
	balancer.RingHash, balancer.Maglev, balancer.PeakEWMA,
}

func address(i int) string { return fmt.Sprintf("10.%d.%d.%d:9080", i>>16, i>>8&255, i&255) }

// endpoints returns n endpoints, with the weights given for the first ones.
func endpoints(n int, weights ...uint32) []discovery.Endpoint {
	eps := make([]discovery.Endpoint, n)
	for i := range eps {
		eps[i].Address = address(i)
		if i < len(weights) {
			eps[i].Weight = weights[i]
		}
	}
	return eps
}

func at(place string, n int, from int) []discovery.Endpoint {
	locality, err := discovery.ParseLocality(place)
	if err != nil {
		panic(err)
	}
	eps := make([]discovery.Endpoint, n)
	for i := range eps {
		eps[i] = discovery.Endpoint{Address: address(from + i), Locality: locality}
	}
	return eps
}

func balance(cfg balancer.Config, eps []discovery.Endpoint) *balancer.Balancer[int] {
	b := balancer.New[int](cfg, nil)
	b.Update(eps, start)
	return b
}

// count picks n times and counts by address.
func count(b *balancer.Balancer[int], n int, p pick) map[string]int {
	counts := make(map[string]int)
	for range n {
		if h := b.Pick(p); h != nil {
			counts[h.Address()]++
		}
	}
	return counts
}
