package topology_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	productpage = topology.Node{Namespace: "default", Name: "productpage", Version: "v1"}
	reviews     = topology.Node{Namespace: "default", Name: "reviews", Version: "v2"}
	toReviews   = topology.Key{Source: productpage, Target: reviews, Protocol: "http", Secure: true}
)

// pass adds n calls that end now.
func pass(l *topology.Live, k topology.Key, n int, c topology.Call) {
	c.End = time.Now().UnixNano()
	for range n {
		l.Add(l.Flow(k), c)
	}
}

// near compares rates.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6+want/1000 {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestRatesAreOfTheLastSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := topology.NewLive(topology.Config{})
		time.Sleep(time.Minute)
		for range 20 { // ten calls a second, one of them failed
			pass(l, toReviews, 9, topology.Call{Duration: 10 * time.Millisecond, BytesSent: 100, BytesReceived: 10})
			pass(l, toReviews, 1, topology.Call{Duration: time.Second, Failed: true})
			time.Sleep(time.Second)
		}
		e := l.Graph(time.Now().Add(-time.Nanosecond), 10*time.Second).Edges[0]
		near(t, "requests", e.Requests, 10)
		near(t, "errors", e.Errors, 1)
		near(t, "error rate", e.ErrorRate, 0.1)
		near(t, "bytes sent", e.BytesSent, 900)
		near(t, "bytes received", e.BytesReceived, 90)
		if e.P50 < 10 || e.P50 > 12.5 || e.P99 < 1000 || e.P99 > 1250 {
			t.Errorf("latencies: got p50 %v, p99 %v, want about 10 and 1000", e.P50, e.P99)
		}
		time.Sleep(30 * time.Second)
		if e := l.Graph(time.Now(), 10*time.Second).Edges[0]; e.Requests != 0 || e.P99 != 0 {
			t.Errorf("after a pause: got %v/s, p99 %v, want none", e.Requests, e.P99)
		}
		if e := l.Graph(time.Now(), time.Hour).Edges[0]; e.Requests == 0 {
			t.Error("within the minute: got none")
		}
	})
}

func TestCallsThatAreAddedAtOnceCountAsOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		atOnce, oneByOne := topology.NewLive(topology.Config{}), topology.NewLive(topology.Config{})
		time.Sleep(5 * time.Minute)
		now, calls := time.Now(), make([]topology.Call, 2000)
		for i := range calls { // in any order, some of them too old to be remembered
			calls[i] = topology.Call{
				End: now.Add(-rand.N(90 * time.Second)).UnixNano(), Duration: rand.N(time.Second),
				Failed: i%7 == 0, BytesSent: int64(i), BytesReceived: int64(i % 5),
			}
			oneByOne.Add(oneByOne.Flow(toReviews), calls[i])
		}
		atOnce.Add(atOnce.Flow(toReviews), calls...)
		for span := time.Second; span <= time.Minute; span += time.Second {
			got, want := atOnce.Graph(now, span), oneByOne.Graph(now, span)
			if len(want.Edges) != 1 || !reflect.DeepEqual(got, want) {
				t.Fatalf("%v: got %+v, want %+v", span, got, want)
			}
		}
	})
}

func TestRatesOfAYoungProcessAreOverItsAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := topology.NewLive(topology.Config{})
		time.Sleep(2 * time.Second)
		pass(l, toReviews, 10, topology.Call{})
		near(t, "requests", l.Graph(time.Now(), time.Minute).Edges[0].Requests, 5)
	})
}

func TestIdleEdgesAreForgottenAndComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := topology.NewLive(topology.Config{Forget: 2 * time.Minute})
		f := l.Flow(toReviews)
		l.Add(f, topology.Call{End: time.Now().UnixNano()})
		time.Sleep(2*time.Minute + time.Second)
		if g := l.Graph(time.Now(), time.Minute); len(g.Edges) != 0 || len(g.Nodes) != 0 {
			t.Errorf("got %v, want nothing", g)
		}
		l.Add(f, topology.Call{End: time.Now().UnixNano()})
		if g := l.Graph(time.Now(), time.Minute); len(g.Edges) != 1 {
			t.Errorf("got %d edges after another call, want 1", len(g.Edges))
		}
	})
}

func TestEdgesAreBounded(t *testing.T) {
	l := topology.NewLive(topology.Config{Edges: 5})
	for i := range 8 {
		k := toReviews
		k.Target.Name = fmt.Sprint("service-", i)
		pass(l, k, 1, topology.Call{})
	}
	if g := l.Graph(time.Now(), time.Minute); len(g.Edges) != 5 || g.Dropped != 3 {
		t.Errorf("got %d edges, %d dropped, want 5, 3", len(g.Edges), g.Dropped)
	}
}

// Percentiles are compared with those of the sorted list.
func TestPercentilesAreTrueToATenth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	l := topology.NewLive(topology.Config{})
	var all []float64
	for range 10_000 {
		d := time.Duration(math.Exp(random.NormFloat64()*2+9)) * time.Microsecond
		all = append(all, float64(d)/1e6)
		pass(l, toReviews, 1, topology.Call{Duration: d})
	}
	slices.Sort(all)
	e := l.Graph(time.Now(), time.Minute).Edges[0]
	for q, got := range map[float64]float64{0.5: e.P50, 0.9: e.P90, 0.99: e.P99} {
		if want := all[int(q*10_000)]; got < want*0.99 || got > want*1.26 {
			t.Errorf("p%v: got %v, want %v, or up to a bucket more", 100*q, got, want)
		}
	}
}

func TestLatenciesBeyondAllBuckets(t *testing.T) {
	l := topology.NewLive(topology.Config{})
	for _, d := range []time.Duration{-time.Second, 0, time.Microsecond, 3 * time.Microsecond, 1000 * time.Hour} {
		pass(l, toReviews, 1, topology.Call{Duration: d})
	}
	if b := l.Graph(time.Now(), time.Minute).Edges[0].Outbound.Latency; len(b) != 4 || b[0].UpTo != 0.001 || b[1].UpTo != 0.002 || b[2].UpTo != 0.004 {
		t.Errorf("got %v", b)
	}
}

// What both ends report of the same calls is not counted twice, and what two
// clients report is added.
func TestMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clients := [2]*topology.Live{topology.NewLive(topology.Config{}), topology.NewLive(topology.Config{})}
		server := topology.NewLive(topology.Config{})
		time.Sleep(time.Second)
		inbound := toReviews
		inbound.Inbound = true
		for i, l := range clients {
			pass(l, toReviews, 10, topology.Call{Duration: time.Duration(1+99*i) * time.Millisecond})
		}
		pass(server, inbound, 19, topology.Call{Failed: true}) // one never arrived

		now := time.Now()
		g := topology.Merge(clients[0].Graph(now, time.Minute), clients[1].Graph(now, time.Minute), server.Graph(now, time.Minute))
		if len(g.Nodes) != 2 || len(g.Edges) != 1 {
			t.Fatalf("got %d nodes, %d edges, want 2, 1", len(g.Nodes), len(g.Edges))
		}
		e := g.Edges[0]
		near(t, "requests", e.Requests, 20)
		near(t, "errors", e.Errors, 0)
		near(t, "what the server says", e.Inbound.Requests, 19)
		near(t, "errors that it says", e.Inbound.ErrorRate, 1)
		if e.P50 > 1.3 || e.P90 < 100 {
			t.Errorf("latencies: got p50 %v, p90 %v, want those of both clients together", e.P50, e.P90)
		}
	})
}

func TestMergeIsTheSameInAnyOrder(t *testing.T) {
	l := topology.NewLive(topology.Config{})
	pass(l, toReviews, 3, topology.Call{Duration: time.Millisecond})
	back := topology.Key{Source: reviews, Target: topology.Node{}, Protocol: "grpc"}
	m := topology.NewLive(topology.Config{})
	pass(m, back, 2, topology.Call{Duration: time.Second})
	now := time.Now()
	a, b := l.Graph(now, time.Minute), m.Graph(now, time.Minute)
	if x, y := topology.Merge(a, b), topology.Merge(b, a); !reflect.DeepEqual(x, y) {
		t.Errorf("got %v and %v", x, y)
	}
	if x := topology.Merge(a); !reflect.DeepEqual(x, a) {
		t.Errorf("one alone: got %v, want %v", x, a)
	}
}

func TestJSONGoesBothWays(t *testing.T) {
	l := topology.NewLive(topology.Config{})
	pass(l, toReviews, 3, topology.Call{Duration: time.Millisecond})
	g := l.Graph(time.Now().UTC().Round(0), time.Minute)
	text, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"id":"default/productpage@v1"`, `"source":"default/productpage@v1"`, `"requestsPerSecond":`, `"reportedBySource":`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	var back topology.Graph
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, g) {
		t.Errorf("got %v (%v), want %v", back, err, g)
	}
}

func TestDrawings(t *testing.T) {
	g := topology.Graph{
		Nodes: []topology.Vertex{{ID: "a"}, {ID: `b"\<x>`}},
		Edges: []topology.Edge{
			{Source: "a", Target: `b"\<x>`, Protocol: "http", Secure: true, Traffic: topology.Traffic{Requests: 12.345, Errors: 1.2345, ErrorRate: 0.1, P99: 20}},
			{Source: "a", Target: "a", Protocol: "grpc"},
			{Source: "a", Target: "a", Protocol: "tcp", Traffic: topology.Traffic{Requests: 999.7, Connections: 12345, P99: 61234.5}},
		},
	}
	for name, drawing := range map[string][2]string{
		"straight from its source": {topology.NewLive(topology.Config{}).Graph(time.Now(), time.Minute).Mermaid(), "flowchart LR\n"},
		"DOT": {g.DOT(), `digraph mesh {
	rankdir=LR
	node [shape=box, style=rounded]
	"a"
	"b\"\\<x>"
	"a" -> "b\"\\<x>" [label="http mTLS 12.3/s 10% errors p99 20 ms", color=red]
	"a" -> "a" [label="grpc 0/s", style=dashed]
	"a" -> "a" [label="tcp 1000/s 12345 open p99 61234 ms"]
}
`},
		"Mermaid": {g.Mermaid(), `flowchart LR
	n0["a"]
	n1["b#quot;\#lt;x#gt;"]
	n0 -->|"http mTLS 12.3/s 10% errors p99 20 ms"| n1
	n0 -.->|"grpc 0/s"| n0
	n0 -->|"tcp 1000/s 12345 open p99 61234 ms"| n0
`},
	} {
		if drawing[0] != drawing[1] {
			t.Errorf("%s: got\n%s\nwant\n%s", name, drawing[0], drawing[1])
		}
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	l := topology.NewLive(topology.Config{})
	f := l.Flow(toReviews)
	if n := testing.AllocsPerRun(100, func() { l.Add(f, topology.Call{End: time.Now().UnixNano(), Duration: time.Millisecond}) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

func ExampleLive() {
	live := topology.NewLive(topology.Config{})
	flow := live.Flow(topology.Key{
		Source:   topology.Node{Namespace: "default", Name: "productpage", Version: "v1"},
		Target:   topology.Node{Namespace: "default", Name: "reviews", Version: "v2"},
		Protocol: "http",
	})
	now := time.Now()
	live.Add(flow, topology.Call{End: now.UnixNano(), Duration: 3 * time.Millisecond})
	graph := live.Graph(now, 10*time.Second)
	for _, e := range graph.Edges {
		fmt.Println(e.Source, "->", e.Target, e.Protocol, e.ErrorRate)
	}
	// Output:
	// default/productpage@v1 -> default/reviews@v2 http 0
}

// Several may hold the flow of one key. Who comes back last after it was forgotten
// finds the others'.
func TestAForgottenFlowComesBackToThatOfItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := topology.NewLive(topology.Config{})
		old := l.Flow(toReviews)
		l.Add(old, topology.Call{End: time.Now().UnixNano()})
		time.Sleep(time.Hour)
		l.Graph(time.Now(), time.Minute)
		for _, f := range []*topology.Flow{l.Flow(toReviews), old} {
			l.Add(f, topology.Call{End: time.Now().UnixNano()})
		}
		time.Sleep(time.Second)
		if g := l.Graph(time.Now(), 10*time.Second); l.Dropped() != 0 || len(g.Edges) != 1 || g.Edges[0].Requests < 0.19 {
			t.Errorf("dropped %d, got %+v, want both calls on one edge", l.Dropped(), g.Edges)
		}
	})
}

// A raw connection counts when it is opened, its bytes when they pass, and it stands
// until it is closed, however long nothing passes.
func TestConnectionsStand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := topology.NewLive(topology.Config{})
		k := toReviews
		k.Protocol = "tcp"
		now := func() int64 { return time.Now().UnixNano() }
		time.Sleep(time.Minute)
		for range 3 {
			l.Pass(l.Flow(k), topology.Passage{At: now(), Opened: true})
		}
		l.Pass(l.Flow(k), topology.Passage{At: now(), Opened: true, Failed: true})
		l.Pass(l.Flow(k), topology.Passage{At: now(), Closed: true})
		l.Pass(l.Flow(k), topology.Passage{At: now(), BytesSent: 1000, BytesReceived: 100})
		time.Sleep(time.Second)
		g := l.Graph(time.Now().Add(-time.Nanosecond), 10*time.Second)
		e := g.Edges[0]
		near(t, "opened", e.Requests, 0.4)
		near(t, "failed", e.ErrorRate, 0.25)
		near(t, "standing", e.Connections, 3)
		near(t, "bytes sent", e.BytesSent, 100)
		near(t, "bytes received", e.BytesReceived, 10)
		if dot := g.DOT(); !strings.Contains(dot, `tcp mTLS 0.4/s 25% errors 3 open"`) {
			t.Errorf("drawn as %s", dot)
		}
		both := topology.Merge(g, g)
		near(t, "standing in two processes", both.Edges[0].Connections, 6)
		time.Sleep(time.Hour)
		if e := l.Graph(time.Now(), time.Minute).Edges; len(e) != 1 || e[0].Connections != 3 || e[0].Requests != 0 {
			t.Errorf("after an hour: %+v", e)
		}
		for range 3 {
			l.Pass(l.Flow(k), topology.Passage{At: now(), Closed: true})
		}
		time.Sleep(time.Hour)
		if e := l.Graph(time.Now(), time.Minute).Edges; len(e) > 0 {
			t.Errorf("two hours later: %+v", e)
		}
	})
}
