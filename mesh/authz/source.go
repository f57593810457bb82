package authz

import (
	"context"
	"iter"
)

// A Checker decides about requests: nil lets one in, an error says why not. Many
// goroutines ask it at once, on the way of each request: it must not wait.
type Checker interface {
	Check(r *Request) error
}

// A Source knows from elsewhere who may call this workload: Consul's intentions.
type Source interface {
	// Watch yields a Checker at once, and another one after each change, until ctx
	// ends. An error is news, not the end: the last Checker stands.
	Watch(ctx context.Context) iter.Seq2[Checker, error]
}
