// Package balancer chooses which host of a destination takes the next request.
//
//	b := balancer.New[struct{}](balancer.Config{}, nil)
//	b.Update(endpoints, time.Now())                     // whenever discovery has news
//	h := b.Pick(balancer.Pick[struct{}]{})              // nil: nobody may be picked
//	h.Begin()
//	h.End(rtt, ok, time.Now())                          // when the answer is there
//
// A [Balancer] holds the [Host] values of one destination, keyed by address. A host is an
// endpoint with live counters and whatever else its owner keeps for it; it outlives changes of
// its labels, its weight and the [Config].
//
// # How a host is found
//
//  1. Endpoints that drain are set aside. Of the others, those that no rule of place gives
//     traffic are too.
//  2. The rest is put into priorities by place and labels ([Locality]); one priority if no rule says
//     otherwise.
//  3. Each priority can take min(100, 140 × healthy/hosts) percent of the traffic: the first takes
//     that, the next ones what is left. If it is not enough in all, the shares are scaled up,
//     and priorities below Config.PanicThreshold ignore health.
//  4. Where a rule weighs places, one is drawn by its share times its health.
//  5. The [Policy] chooses among the hosts that are left.
//
// Healthy means that the source does not say otherwise and that the owner has not called
// [Host.SetAvailable] with false. A pick asks each host it is about to return, so it never
// returns one that has just been ejected while there is another.
//
// # Policies
//
//   - LeastRequest draws two distinct hosts by weight and takes the less loaded for its weight, the
//     first if they are equal. Shares follow the weights both idle and loaded.
//   - RoundRobin is an exact rotation from a random start, as smooth as the weights allow. Cores that
//     collide on it take turns on their own for a while, each evenly.
//   - Random is uniform and ignores weights.
//   - RingHash and Maglev send equal keys ([Hash]) to equal hosts, by weight. An ejection moves the
//     keys of the ejected host only; of n hosts one more takes about 1/(n+1) of the keys. Without a
//     key they pick at random. All inmesh processes agree on the owner of a key; Envoy's ring is
//     another.
//   - PeakEWMA draws two hosts and takes the one whose recent latency times load is lower. A
//     failure counts as slow.
//
// # Defaults
//
//  1. Policy: least request.
//  2. Weight of an endpoint: 1.
//  3. Ring: at least 1024 points, and at least 4 for the lightest host. Maglev table: 65537 slots.
//  4. Panic: never.
//  5. Warm-up: off; when on, from 10 % in a straight line, for hosts that are new, and for hosts
//     that their source calls healthy again. A host back from an ejection does not warm up. Hosts
//     that are all equally new have equal shares.
//  6. Places: ignored.
//  7. Tried hosts: up to five are refused.
//
// # Concurrency
//
// Everything is safe for concurrent use. Picks, counters and SetAvailable take no lock and
// allocate nothing; picks write no memory that cores share, but the one turn of RoundRobin.
// Changes are serialised, and each replaces all that picks read at once. Nothing here starts a
// goroutine or a timer, or reads the clock.
//
// # Limits
//
// Weights of RoundRobin are exact as long as, divided by their greatest common divisor, they sum
// to at most 4096 or 16 per host, and rounded beyond. To fill a Maglev table takes time in
// proportion to its size times the greatest weight over the mean one: milliseconds, unless
// weights differ by thousands. Estimates of PeakEWMA and warm-ups are kept by the wall clock:
// setting the clock disturbs them once. Priorities from 64 on cannot be skipped. Envoy drops the
// shares of places in a panic; here they stand.
package balancer
