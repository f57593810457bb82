package retry_test

import (
	"fmt"
	"time"

	"github.com/inmesh-go/inmesh/retry"
)

func Example() {
	p := retry.Default()
	p.Backoff.NoJitter = true
	failed := retry.Try{Failure: retry.ConnectFailure, Idempotent: retry.Idempotent("POST")}
	for retriesDone := range 3 {
		wait, d := p.Next(failed, retriesDone, retry.NoDeadline)
		fmt.Println(wait, d)
	}
	// Output:
	// 25ms retried
	// 50ms retried
	// 0s not retried: retries exhausted
}

func ExampleParseOn() {
	on, err := retry.ParseOn("gateway-error,connect-failure,429")
	fmt.Println(on, err)
	_, err = retry.ParseOn("5xx, reset")
	fmt.Println(err != nil)
	// Output:
	// gateway-error,connect-failure,retriable-status-codes,429 <nil>
	// true
}

func ExampleBudget() {
	var budget retry.Budget
	if err := budget.Configure(retry.DefaultBudget()); err != nil {
		fmt.Println(err)
	}
	inFlight, now := 25, time.Now() // active and pending requests of the destination
	granted := 0
	for budget.Acquire(inFlight, now) { // Release each when it has ended
		granted++
	}
	fmt.Println(granted, "retries at a time")
	// Output: 5 retries at a time
}
