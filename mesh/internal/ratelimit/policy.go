package ratelimit

import (
	"reflect"
	"time"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A policy is a rule with its buckets.
type policy struct {
	rule      *rules.RateLimitPolicy
	buckets   *buckets
	overrides map[string]*bucket // by caller
}

// buckets are what outlives a change of the rules around a policy.
type buckets struct {
	total     *bucket   // nil: no bound
	callers   *callers  // nil: no bound
	overrides []*bucket // as in the rule
}

// compile takes the buckets over from previous, which may be nil, if the rule
// reads the same.
func compile(rule *rules.RateLimitPolicy, trustDomains []string, previous *policy) *policy {
	p := &policy{rule: rule, overrides: map[string]*bucket{}}
	if previous != nil && reflect.DeepEqual(previous.rule.Spec, rule.Spec) {
		p.buckets = previous.buckets
	} else {
		p.buckets = fill(rule.Spec)
	}
	for i, o := range rule.Spec.Overrides {
		for _, client := range o.ClientRefs {
			p.override(client, trustDomains, p.buckets.overrides[i])
		}
	}
	return p
}

func fill(spec *rules.RateLimit) *buckets {
	b := &buckets{}
	if spec.Total != nil {
		b.total = newBucket(spec.Total.RequestsPerSecond)
	}
	if spec.Identity != nil {
		b.callers = newCallers(spec.Identity.RequestsPerSecond)
	}
	for _, o := range spec.Overrides {
		b.overrides = append(b.overrides, newBucket(o.RequestsPerSecond))
	}
	return b
}

// override gives a client its bucket, under each name that it may come with. Of
// two overrides for one client the later counts, as in Linkerd's proxy.
func (p *policy) override(client rules.RateLimitClient, trustDomains []string, b *bucket) {
	namespace := client.Namespace
	if namespace == "" {
		namespace = p.rule.Namespace
	}
	for _, domain := range trustDomains {
		p.overrides["spiffe://"+domain+"/ns/"+namespace+"/sa/"+client.Name] = b
	}
}

// lockCaller returns the caller's bucket, locked; nil: it has no bound.
func (p *policy) lockCaller(now time.Time, caller string) (*bucket, Bound) {
	if b := p.overrides[caller]; b != nil {
		b.mu.Lock()
		return b, Override
	}
	known := p.buckets.callers
	if known == nil {
		return nil, ""
	}
	b := known.lock(now, caller)
	if b == known.crowd {
		return b, Crowd
	}
	return b, Identity
}

// lockTotal returns the bucket of all callers, locked; nil: there is no bound.
func (p *policy) lockTotal() *bucket {
	if p.buckets.total != nil {
		p.buckets.total.mu.Lock()
	}
	return p.buckets.total
}
