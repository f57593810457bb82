package balancer

// random picks any of n hosts, each as often as the others: weights do not count within a set,
// as in Envoy.
type random int

func (n random) choose(a ask) (int, uint64) {
	r := a.number()
	return oneOf(int(n), r), r
}
