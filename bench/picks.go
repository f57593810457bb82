package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/inmesh-go/inmesh/balancer"
)

// spread steps through hash keys so that neighbours are far apart.
const spread = 0x9E3779B97F4A7C15

func picker(policy balancer.Policy, hosts int) func() contender {
	b := balancer.New[struct{}](balancer.Config{Policy: policy}, nil)
	b.Update(cannedEndpoints(hosts), time.Now())
	return func() contender {
		mine := &caller{key: rand.Uint64(), now: time.Now()}
		return each(func() {
			mine.key += spread
			b.Pick(balancer.Pick[struct{}]{Hash: mine.key, HasHash: true, Now: mine.now})
		})
	}
}

// A caller has its key on a cache line of its own: else two callers, each on its core,
// would be slow by what they write themselves.
type caller struct {
	key uint64
	now time.Time
	_   [32]byte
}

func measurePicks(p plan, t *table) error {
	t.section("Pick, one core; and two cores against one")
	for _, policy := range []balancer.Policy{balancer.LeastRequest, balancer.RoundRobin, balancer.RingHash} {
		for _, hosts := range []int{3, 100, 10_000} {
			measurePick(p, t, fmt.Sprintf("%v over %d", policy, hosts), picker(policy, hosts))
		}
	}
	return nil
}

func measurePick(p plan, t *table, name string, pick func() contender) {
	onCores(1, func() {
		t.atMost(name, figure{best(alternate(p, cpu, pick())[0]), "ns"}, 50)
	})
	t.atLeast("… two cores against one", scaling(p, pick), 1)
}
