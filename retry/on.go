package retry

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// On is a set of the named conditions of a retryOn list.
type On uint32

// The conditions, each with its name in a rule. "No answer" means a connect
// failure, a refused stream, a reset or disconnect, or a per-try timeout.
const (
	On5xx                     On = 1 << iota // 5xx: a 5xx answer, or no answer
	OnGatewayError                           // gateway-error: a 502, 503 or 504 answer, or no answer
	OnReset                                  // reset: no answer
	OnResetBeforeRequest                     // reset-before-request: no answer, and no byte of the request was sent
	OnConnectFailure                         // connect-failure: no connection could be made
	OnRefusedStream                          // refused-stream: HTTP/2 REFUSED_STREAM
	OnRetriable4xx                           // retriable-4xx: a 409 answer, and no other 4xx
	OnStatusCodes                            // retriable-status-codes: an answer whose status is listed
	OnHeaders                                // retriable-headers: inert, a rule cannot list headers
	OnRateLimited                            // envoy-ratelimited: an answer with x-envoy-ratelimited, which else forbids a retry
	OnHTTP3PostConnectFailure                // http3-post-connect-failure: inert, there is no HTTP/3
	OnCancelled                              // cancelled: gRPC status 1 in the response headers
	OnDeadlineExceeded                       // deadline-exceeded: gRPC status 4, likewise
	OnInternal                               // internal: gRPC status 13, likewise
	OnResourceExhausted                      // resource-exhausted: gRPC status 8, likewise
	OnUnavailable                            // unavailable: gRPC status 14, likewise
)

const onGRPC = OnCancelled | OnDeadlineExceeded | OnInternal | OnResourceExhausted | OnUnavailable

// GRPC reports whether some of the conditions are about a gRPC status.
func (c *Conditions) GRPC() bool { return c.On&onGRPC != 0 }

const inert = OnHeaders | OnHTTP3PostConnectFailure

// tokens are the names of the conditions; the index is the bit.
func tokens() [16]string {
	return [...]string{
		"5xx", "gateway-error", "reset", "reset-before-request",
		"connect-failure", "refused-stream", "retriable-4xx", "retriable-status-codes",
		"retriable-headers", "envoy-ratelimited", "http3-post-connect-failure", "cancelled",
		"deadline-exceeded", "internal", "resource-exhausted", "unavailable",
	}
}

// names lists the tokens of the set in the order of the constants.
func (o On) names() []string {
	var names []string
	for bit, name := range tokens() {
		if o&(1<<bit) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String is the comma list as a rule writes it.
func (o On) String() string { return strings.Join(o.names(), ",") }

// Conditions are what a retryOn list means: named conditions and status codes.
// They are comparable; the zero Conditions retry nothing.
type Conditions struct {
	On     On
	Status StatusSet // acts only with OnStatusCodes in On
}

// ParseOn reads a retryOn list exactly as Istio's validator does. It splits at
// commas and does not trim, so that "5xx, reset" and a trailing comma are
// errors. A number must be a status code that http.StatusText knows; it implies
// retriable-status-codes. The empty string means the field is absent and gives
// the conditions of Default.
func ParseOn(s string) (Conditions, error) {
	if s == "" {
		return defaultConditions(), nil
	}
	var c Conditions
	for token := range strings.SplitSeq(s, ",") {
		if err := c.add(token); err != nil {
			return Conditions{}, err
		}
	}
	return c, nil
}

func (c *Conditions) add(token string) error {
	for bit, name := range tokens() {
		if token == name {
			c.On |= 1 << bit
			return nil
		}
	}
	// Istio takes whatever strconv.Atoi takes, "+503" and "0503" too.
	code, err := strconv.Atoi(token)
	if err != nil || http.StatusText(code) == "" {
		known := tokens()
		return fmt.Errorf("retryOn: %q is not a condition: want a known HTTP status code or one of %s, separated by commas without spaces",
			token, strings.Join(known[:], ", "))
	}
	c.On |= OnStatusCodes
	c.Status.add(code)
	return nil
}

// String is the list in canonical order. ParseOn reads back what it returned.
func (c Conditions) String() string {
	names := c.On.names()
	for _, code := range c.Status.Codes() {
		names = append(names, strconv.Itoa(code))
	}
	return strings.Join(names, ",")
}

// Inert lists the tokens in the set that have no effect here, for a warning.
func (c Conditions) Inert() []string { return (c.On & inert).names() }

// Union is what either set retries; Envoy adds the conditions of the
// x-envoy-retry-on request header to the route's in this way.
func (c Conditions) Union(other Conditions) Conditions {
	return Conditions{On: c.On | other.On, Status: c.Status.union(other.Status)}
}
