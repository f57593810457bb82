// Package topology is a live graph of who calls whom, with rates, errors and
// latencies of the last minute. It knows nothing of how calls are made: whoever
// sees them adds them.
//
//	live := topology.NewLive(topology.Config{})
//	flow := live.Flow(topology.Key{Source: productpage, Target: reviews, Protocol: "http"})
//	live.Add(flow, topology.Call{End: now.UnixNano(), Duration: took})
//	graph := live.Graph(now, 10*time.Second)
//	os.Stdout.WriteString(graph.Mermaid())
//
// A [Graph] is data: it goes over the wire as JSON, is drawn as DOT or Mermaid,
// and [Merge] makes one of the graphs of many processes. Both ends of a call may
// report it; what each has seen is kept apart, and the client's word, which knows
// of calls that never arrived, counts first.
//
// # Defaults
//
//  1. A minute is remembered: counts by the second, latencies by ten seconds.
//  2. An edge on which nothing has passed for ten minutes is forgotten.
//  3. There are at most 1000 edges; what passes beside them is counted in Dropped.
//
// # Limits
//
// Latencies are kept in buckets of a quarter of an octave: a percentile is true
// to 10 %.
//
// # Concurrency
//
// A Live and its Flows are one goroutine's at a time: who shares them brings the
// lock. A Graph is the caller's own.
package topology
