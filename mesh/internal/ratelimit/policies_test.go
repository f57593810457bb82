package ratelimit_test

import (
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/ratelimit"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// web is the workload that the tests limit.
func web() ratelimit.Workload {
	return ratelimit.Workload{Service: "web", Namespace: "prod", TrustDomains: []string{"example.org", "old.example.org"}}
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// at is a time of a test, in milliseconds after its start.
func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

// id is the identity of a service account of the namespace prod.
func id(account string) string { return "spiffe://example.org/ns/prod/sa/" + account }

type part func(*rules.RateLimit)

// policy is for the service web; parts say what it bounds.
func policy(name string, parts ...part) *rules.RateLimitPolicy {
	p := &rules.RateLimitPolicy{
		Meta: rules.Meta{Kind: "HTTPLocalRateLimitPolicy", Name: name, Namespace: "prod"},
		Spec: &rules.RateLimit{TargetRef: rules.RateLimitTarget{Group: "policy.linkerd.io", Kind: "Server", Name: "web"}},
	}
	for _, add := range parts {
		add(p.Spec)
	}
	return p
}

func total(n uint32) part {
	return func(r *rules.RateLimit) { r.Total = &rules.RateLimitBound{RequestsPerSecond: n} }
}

func identity(n uint32) part {
	return func(r *rules.RateLimit) { r.Identity = &rules.RateLimitBound{RequestsPerSecond: n} }
}

func override(n uint32, accounts ...string) part {
	o := rules.RateLimitOverride{RequestsPerSecond: n}
	for _, name := range accounts {
		o.ClientRefs = append(o.ClientRefs, rules.RateLimitClient{Kind: "ServiceAccount", Name: name})
	}
	return func(r *rules.RateLimit) { r.Overrides = append(r.Overrides, o) }
}

func forServer(name string) part {
	return func(r *rules.RateLimit) { r.TargetRef.Name = name }
}

func forRoute(name string) part {
	return func(r *rules.RateLimit) {
		r.TargetRef = rules.RateLimitTarget{Group: "gateway.networking.k8s.io", Kind: "HTTPRoute", Name: name}
	}
}

func compile(policies ...*rules.RateLimitPolicy) *ratelimit.Limits {
	return ratelimit.Compile(policies, web(), nil)
}
