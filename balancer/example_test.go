package balancer_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/discovery"
)

func Example() {
	endpoints := []discovery.Endpoint{{Address: "10.0.0.1:9080"}, {Address: "10.0.0.2:9080"}}

	b := balancer.New[struct{}](balancer.Config{}, nil)
	b.Update(endpoints, time.Now())

	h := b.Pick(balancer.Pick[struct{}]{})
	h.Begin()
	fmt.Println("in flight:", h.Active())
	other := b.Pick(balancer.Pick[struct{}]{})
	fmt.Println("the idle host is next:", other != h)
	h.End(3*time.Millisecond, true, time.Now())
	// Output:
	// in flight: 1
	// the idle host is next: true
}

// State is what belongs to a host and goes with it, such as a connection.
func ExampleNew_state() {
	type conn struct{ target string }
	dial := func(state *conn, ep discovery.Endpoint) { state.target = ep.Address }
	b := balancer.New(balancer.Config{Policy: balancer.RoundRobin}, dial)

	b.Update([]discovery.Endpoint{{Address: "10.0.0.1:9080"}}, time.Now())
	fmt.Println(b.Pick(balancer.Pick[conn]{}).State.target)
	_, removed := b.Update(nil, time.Now())
	fmt.Println("to close:", removed[0].State.target)
	// Output:
	// 10.0.0.1:9080
	// to close: 10.0.0.1:9080
}

// A key's host is the same as long as it is there, and the same in all processes.
func ExampleHash() {
	b := balancer.New[int](balancer.Config{Policy: balancer.RingHash}, nil)
	b.Update([]discovery.Endpoint{{Address: "a:80"}, {Address: "b:80"}, {Address: "c:80"}}, time.Now())

	jason := balancer.Pick[int]{Hash: balancer.Hash("jason"), HasHash: true}
	owner := b.Pick(jason)
	fmt.Println("again the same:", b.Pick(jason) == owner)

	owner.SetAvailable(false)
	fmt.Println("ejected, another:", b.Pick(jason) != owner)
	// Output:
	// again the same: true
	// ejected, another: true
}

// The nearest hosts come first, as long as enough of them are healthy.
func ExampleLocality() {
	here := discovery.Locality{Region: "us-west", Zone: "a"}
	b := balancer.New[int](balancer.Config{Locality: balancer.Locality{Failover: true, Local: here}}, nil)
	b.Update([]discovery.Endpoint{
		{Address: "near:80", Locality: here},
		{Address: "far:80", Locality: discovery.Locality{Region: "eu"}},
	}, time.Now())
	fmt.Println(b.Pick(balancer.Pick[int]{}).Address())

	near := slices.IndexFunc(b.Hosts(), func(h *balancer.Host[int]) bool { return h.Priority() == 0 })
	b.Hosts()[near].SetAvailable(false)
	b.Refresh(time.Now())
	fmt.Println(b.Pick(balancer.Pick[int]{}).Address())
	// Output:
	// near:80
	// far:80
}
