package breaker_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
)

func Example() {
	detector := breaker.NewDetector(breaker.DefaultOutlier())
	circuit := detector.NewCircuit() // one for each host

	now := time.Now()
	for range 5 {
		permit, err := circuit.Allow(now)
		if err != nil {
			fmt.Println(err)
			return
		}
		event := circuit.Report(permit, breaker.OutcomeOf(503), now)
		if event.Kind == breaker.Ejected {
			fmt.Println(event.Kind, "for", event.Until.Sub(now), "by", event.Reason)
		}
	}
	_, err := circuit.Allow(now)
	fmt.Println(err)

	later := now.Add(30 * time.Second)
	probe, _ := circuit.Allow(later)
	fmt.Println(circuit.State())
	fmt.Println(circuit.Report(probe, breaker.Success, later).Kind)
	// Output:
	// ejected for 30s by consecutive5xxErrors
	// circuit open: the host is ejected
	// half-open
	// readmitted
}

func ExampleGate() {
	var gate breaker.Gate
	gate.SetLimits(breaker.Limits{MaxRequests: 1})

	fmt.Println(gate.AcquireRequest())
	err := gate.AcquireRequest()
	fmt.Println(err, errors.Is(err, breaker.ErrOverflow))
	gate.ReleaseRequest()
	fmt.Println(gate.Usage().Requests, "under way")
	// Output:
	// <nil>
	// circuit breaker overflow: http2MaxRequests is 1 true
	// 0 under way
}
