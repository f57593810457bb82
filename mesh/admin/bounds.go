package admin

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

const (
	mostPerSecond = 1e15 // of anything; what is beyond cannot be added, or be said in JSON
	maxBuckets    = 512  // of one edge's latencies
)

// bounded finds what would keep graphs from being merged, or drawn: one instance in
// trouble must not take the graph of all away.
func bounded(g *topology.Graph) error {
	if !within(g.Window) {
		return fmt.Errorf("a window of %g s is not within 0 to %g", g.Window, mostPerSecond)
	}
	nodes := make(map[string]bool, len(g.Nodes))
	for i, v := range g.Nodes {
		switch {
		case strings.ContainsFunc(v.ID, unicode.IsControl): // by which pages tell nodes from edges
			return fmt.Errorf("node %d, %.100q, has a control character in its name", i, v.ID)
		case v.ID != v.Node.ID():
			return fmt.Errorf("node %d is called %.100q: want %.100q", i, v.ID, v.Node.ID())
		}
		nodes[v.ID] = true
	}
	return boundedEdges(g.Edges, nodes)
}

func boundedEdges(edges []topology.Edge, nodes map[string]bool) error {
	type key struct {
		source, target, protocol string
		secure                   bool
	}
	seen := make(map[key]bool, len(edges))
	for i := range edges {
		e := &edges[i]
		k := key{e.Source, e.Target, e.Protocol, e.Secure}
		switch {
		case !nodes[e.Source]:
			return fmt.Errorf("edge %d: its source %.100q is no node of it", i, e.Source)
		case !nodes[e.Target]:
			return fmt.Errorf("edge %d: its target %.100q is no node of it", i, e.Target)
		case seen[k]:
			return fmt.Errorf("edge %d, from %.100q to %.100q, is there twice", i, e.Source, e.Target)
		case !boundedTraffic(e.Outbound) || !boundedTraffic(e.Inbound):
			return fmt.Errorf("edge %d, from %.100q to %.100q, has more than %d latencies, or a number that is not within 0 to %g",
				i, e.Source, e.Target, maxBuckets, mostPerSecond)
		}
		seen[k] = true
	}
	return nil
}

func boundedTraffic(t *topology.Traffic) bool {
	if t == nil {
		return true
	}
	if len(t.Latency) > maxBuckets || !within(t.Requests, t.Errors, t.BytesSent, t.BytesReceived, t.Connections) {
		return false
	}
	for _, b := range t.Latency {
		if !within(b.UpTo, b.Requests) {
			return false
		}
	}
	return true
}

func within(all ...float64) bool {
	for _, n := range all {
		if !(n >= 0 && n <= mostPerSecond) {
			return false
		}
	}
	return true
}
