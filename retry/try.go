package retry

import (
	"fmt"
	"time"
)

// Failure says why a try got no answer from upstream.
type Failure uint8

// The failures. Those from Overflow on are never retried, whatever a policy says.
const (
	None             Failure = iota // there is an answer
	ConnectFailure                  // no connection: refused, unreachable, timed out, TLS handshake failed
	RefusedStream                   // HTTP/2 REFUSED_STREAM, or a stream above GOAWAY's last one
	Reset                           // the connection or stream ended before an answer
	PerTryTimeout                   // the policy's own limit for one try passed
	Overflow                        // a limit of the destination refused the try
	NoHealthy                       // there was no host to send to
	Canceled                        // the caller went away
	DeadlineExceeded                // the time for the whole request is over
)

// String names the failure.
func (f Failure) String() string {
	names := [...]string{
		"none", "connect failure", "refused stream", "reset", "per-try timeout",
		"overflow", "no healthy host", "cancelled by the caller", "deadline exceeded",
	}
	if int(f) < len(names) {
		return names[f]
	}
	return fmt.Sprintf("failure(%d)", uint8(f))
}

// A Try is the outcome of one try in plain values, classified once by whoever
// sent it. It describes the request as well as its outcome.
type Try struct {
	// Failure is None for an answer; then Status, GRPCStatus, RateLimited and
	// RetryAfter describe it. Otherwise they are ignored.
	Failure Failure
	// Status is the HTTP status of the answer.
	Status int
	// GRPCStatus is the grpc-status in the response headers, that is of a
	// trailers-only answer; -1 (or 0, OK) when there is none. A status that
	// arrives in real trailers comes too late for a retry.
	GRPCStatus int
	// RateLimited says that the answer carries x-envoy-ratelimited.
	RateLimited bool
	// RetryAfter is how long the answer's Retry-After asks to wait; 0 for none.
	RetryAfter time.Duration

	// Unsent says that no byte of the request reached the upstream. A
	// ConnectFailure is unsent without saying so.
	Unsent bool
	// Idempotent says that the request may be executed twice: see the function
	// Idempotent, or because its sender said so (an Idempotency-Key).
	Idempotent bool
	// Unreplayable says that the request cannot be sent again: its body is
	// consumed and not buffered, or it is an Upgrade or CONNECT.
	Unreplayable bool
}

// unexecuted reports whether upstream cannot have acted on any of the request.
// RFC 9113 §8.7: "The REFUSED_STREAM error code can be included in a RST_STREAM
// frame to indicate that the stream is being closed prior to any processing
// having occurred."
func (t *Try) unexecuted() bool {
	return t.Failure == RefusedStream || t.unsent()
}

func (t *Try) unsent() bool {
	return t.Failure == ConnectFailure || (t.Failure != None && t.Unsent)
}

// Idempotent reports whether RFC 9110 §9.2.2 calls the method idempotent: "Of
// the request methods defined by this specification, PUT, DELETE, and safe
// request methods are idempotent." Methods are case-sensitive; "" is GET, as in
// net/http.
func Idempotent(method string) bool {
	switch method {
	case "", "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}
