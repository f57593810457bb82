package topology

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// A Graph is who called whom in a span of time. It is plain data, sorted by
// names.
type Graph struct {
	At     time.Time `json:"at"`
	Window float64   `json:"windowSeconds"` // the span over which rates are taken
	Nodes  []Vertex  `json:"nodes"`
	Edges  []Edge    `json:"edges"`
	// Dropped is how many calls passed on edges that had no room, since the start.
	Dropped uint64 `json:"dropped,omitempty"`
}

// A Vertex is a Node with its ID.
type Vertex struct {
	ID string `json:"id"`
	Node
}

// An Edge is the calls from one node to another over one protocol. Traffic is
// what counts: the source's word, or else the target's.
type Edge struct {
	Source   string `json:"source"`
	Target   string `json:"target"`
	Protocol string `json:"protocol"`
	Secure   bool   `json:"secure"`
	Traffic
	Outbound *Traffic `json:"reportedBySource,omitempty"`
	Inbound  *Traffic `json:"reportedByTarget,omitempty"`
}

// Traffic is what passed, by the second.
type Traffic struct {
	Requests      float64 `json:"requestsPerSecond"`
	Errors        float64 `json:"errorsPerSecond"`
	ErrorRate     float64 `json:"errorRate"` // of 1
	BytesSent     float64 `json:"bytesSentPerSecond"`
	BytesReceived float64 `json:"bytesReceivedPerSecond"`
	// Connections are the raw ones that stand, on an edge of protocol tcp, whose
	// Requests are those that were opened.
	Connections float64 `json:"connections,omitempty"`
	// Latencies in milliseconds, up to the end of an answer.
	P50 float64 `json:"p50Milliseconds"`
	P90 float64 `json:"p90Milliseconds"`
	P99 float64 `json:"p99Milliseconds"`
	// Latency is what the percentiles are taken from, so that those of several
	// processes can be.
	Latency []Bucket `json:"latency,omitempty"`
}

// A Bucket is requests by how long they took: more than the bucket before it says.
type Bucket struct {
	UpTo     float64 `json:"upToMilliseconds"`
	Requests float64 `json:"requestsPerSecond"`
}

// Graph is what passed in the span before now, at most a minute. Edges on which
// nothing did have rates of zero, until they are forgotten.
func (l *Live) Graph(now time.Time, span time.Duration) Graph {
	l.forget(now)
	span = min(max(span, time.Second), seconds*time.Second)
	to := now.Unix()
	from := to - int64(span/time.Second)
	covered := max(min(now.Sub(time.Unix(from+1, 0)), now.Sub(l.start)), time.Second) // this second is not over
	b := newBuilder(now, covered)
	b.graph.Dropped = l.dropped
	for k, f := range l.flows {
		s := f.since(from, to)
		t := s.traffic(covered.Seconds())
		t.Connections = float64(f.open)
		b.add(k, t)
	}
	return b.done()
}

func (s *sum) traffic(over float64) Traffic {
	t := Traffic{
		Requests: s.calls / over, Errors: s.failed / over,
		BytesSent: s.bytesSent / over, BytesReceived: s.bytesReceived / over,
	}
	for i, n := range s.latency {
		if n > 0 {
			t.Latency = append(t.Latency, Bucket{float64(upTo(i)) / float64(time.Millisecond), n / over})
		}
	}
	return t
}

// Merge makes one graph of those of several processes. Its time is the latest of
// theirs, its window the longest.
func Merge(graphs ...Graph) Graph {
	b := newBuilder(time.Time{}, 0)
	for _, g := range graphs {
		if g.At.After(b.graph.At) {
			b.graph.At = g.At
		}
		b.graph.Window = max(b.graph.Window, g.Window)
		b.graph.Dropped += g.Dropped
		b.merge(&g)
	}
	return b.done()
}

// A builder gathers the edges of a graph.
type builder struct {
	graph Graph
	nodes map[string]Node
	edges map[edgeKey]*Edge
}

type edgeKey struct {
	source, target, protocol string
	secure                   bool
}

func newBuilder(at time.Time, window time.Duration) *builder {
	return &builder{Graph{At: at, Window: window.Seconds()}, map[string]Node{}, map[edgeKey]*Edge{}}
}

func (b *builder) add(k Key, t Traffic) {
	source, target := k.Source.ID(), k.Target.ID()
	b.nodes[source], b.nodes[target] = k.Source, k.Target
	e := b.edge(edgeKey{source, target, k.Protocol, k.Secure})
	if k.Inbound {
		e.Inbound = plus(e.Inbound, &t)
	} else {
		e.Outbound = plus(e.Outbound, &t)
	}
}

func (b *builder) merge(g *Graph) {
	for _, v := range g.Nodes {
		b.nodes[v.ID] = v.Node
	}
	for i := range g.Edges {
		from := &g.Edges[i]
		e := b.edge(edgeKey{from.Source, from.Target, from.Protocol, from.Secure})
		e.Outbound = plus(e.Outbound, from.Outbound)
		e.Inbound = plus(e.Inbound, from.Inbound)
	}
}

func (b *builder) edge(k edgeKey) *Edge {
	e := b.edges[k]
	if e == nil {
		e = &Edge{Source: k.source, Target: k.target, Protocol: k.protocol, Secure: k.secure}
		b.edges[k] = e
	}
	return e
}

func (b *builder) done() Graph {
	for id, n := range b.nodes {
		b.graph.Nodes = append(b.graph.Nodes, Vertex{id, n})
	}
	slices.SortFunc(b.graph.Nodes, func(v, w Vertex) int { return v.compare(w.Node) })
	for _, e := range b.edges {
		e.settle()
		b.graph.Edges = append(b.graph.Edges, *e)
	}
	slices.SortFunc(b.graph.Edges, compareEdges)
	return b.graph
}

func compareEdges(e, f Edge) int {
	return cmp.Or(strings.Compare(e.Source, f.Source), strings.Compare(e.Target, f.Target),
		strings.Compare(e.Protocol, f.Protocol), strings.Compare(secureWord(e.Secure), secureWord(f.Secure)))
}

func secureWord(secure bool) string {
	if secure {
		return "mTLS"
	}
	return ""
}

// settle derives what follows from the sums.
func (e *Edge) settle() {
	for _, t := range []*Traffic{e.Outbound, e.Inbound} {
		if t != nil {
			t.settle()
		}
	}
	if t := cmp.Or(e.Outbound, e.Inbound); t != nil {
		e.Traffic = *t
		e.Latency = nil // it stands in the part
	}
}

func (t *Traffic) settle() {
	if t.Requests > 0 {
		t.ErrorRate = t.Errors / t.Requests
	}
	t.P50, t.P90, t.P99 = t.quantile(0.5), t.quantile(0.9), t.quantile(0.99)
}
