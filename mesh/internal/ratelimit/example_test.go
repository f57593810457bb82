package ratelimit_test

import (
	"fmt"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/ratelimit"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

func Example() {
	policies := []*rules.RateLimitPolicy{{
		Meta: rules.Meta{Name: "web", Namespace: "prod"},
		Spec: &rules.RateLimit{
			TargetRef: rules.RateLimitTarget{Group: "policy.linkerd.io", Kind: "Server", Name: "web"},
			Total:     &rules.RateLimitBound{RequestsPerSecond: 100},
			Identity:  &rules.RateLimitBound{RequestsPerSecond: 2},
		},
	}}
	limits := ratelimit.Compile(policies, ratelimit.Workload{Service: "web", Namespace: "prod"}, nil)

	now := time.Now()
	for range 3 {
		refusal, ok := limits.Allow(now, "", "spiffe://example.org/ns/prod/sa/batch")
		if ok {
			fmt.Println("200")
			continue
		}
		fmt.Printf("429 %v; Retry-After: %d\n", refusal, refusal.RetryAfter())
	}
	// Output:
	// 200
	// 200
	// 429 rate limit prod/web: identity: 2 per second; Retry-After: 1
}
