package balancer

import "math/rand/v2"

// random picks any of n hosts, each as often as the others: weights do not count within a set,
// as in Envoy.
type random int

func (n random) choose(ask) (int, uint64) { return below(rand.Uint32(), int(n)), 0 }
