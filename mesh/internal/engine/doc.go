// Package engine carries calls through the mesh. The journey of one call is
// written once, in outbound.go, in the order in which it happens; HTTP and gRPC
// are two faces of it, each a Wire.
//
//	1 route        which virtual host, which route; faults and answers of the rule's own
//	2 destination  which arm of the split, which cluster
//	3 admit        the cluster's limits
//	4 pick         a host, by the balancer, through its circuit
//	5 attempt      the Wire sends one try
//	6 observe      the outcome, classified once, told to host, circuit and balancer
//	7 decide       again, or done
//
// What a call reads is one immutable state behind one atomic pointer. Clusters
// and hosts outlive it: an edited route drops no connection and no counter. A
// cluster comes to life with its first call, and so does the watch of its
// endpoints.
package engine
