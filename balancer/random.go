package balancer

// random picks any of n hosts, each as often as the others: weights do not count within a set,
// as in Envoy.
type random int

func (n random) choose(a ask) (int, uint64) { return below(uint32(a.at>>32), int(n)), remix(a.at) }
