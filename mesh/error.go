package mesh

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
)

// Why the mesh ended a request without an answer from upstream. An *Error is
// exactly one of these to errors.Is.
var (
	ErrNoRoute     = errors.New("no route matches")                     // 404
	ErrNoCluster   = errors.New("no such subset or port")               // 503
	ErrNoHealthy   = errors.New("no healthy endpoint")                  // 503
	ErrOverflow    = errors.New("circuit breaker overflow")             // 503
	ErrConnect     = errors.New("connect failure")                      // 503
	ErrReset       = errors.New("upstream closed without answer")       // 503
	ErrTimeout     = errors.New("timeout")                              // 504
	ErrCanceled    = errors.New("cancelled by the caller")              // 499
	ErrUnknownHost = errors.New("no rule and no source knows the host") // 502
)

// An Error is what a caller gets where a sidecar would invent a 404, 502, 503 or
// 504: the mesh refused the request, or no upstream answered it.
//
// errors.Is finds one of the reasons above, and whatever Err holds, such as
// context.DeadlineExceeded or syscall.ECONNREFUSED.
type Error struct {
	Reason   error  // one of the reasons above
	Flags    string // Envoy's response flags: "UF,URX"
	Service  string // canonical host of the request
	Rule     string // the VirtualService in force, namespace/name; "" if none is
	Route    string // the route's name, route.match where the match has one; "" before one matched
	Subset   string
	Endpoint string // the last endpoint tried; "" if none was
	Attempts int    // tries made
	Err      error  // the cause; may be nil
}

// Error says what, where and why in one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mesh: %s: %v (%s)", e.Service, e.Reason, e.Flags)
	for _, part := range []struct{ name, value string }{
		{"rule", e.Rule}, {"route", e.Route}, {"subset", e.Subset}, {"endpoint", e.Endpoint},
	} {
		if part.value != "" {
			fmt.Fprintf(&b, " %s=%s", part.name, part.value)
		}
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " attempts=%d", e.Attempts)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap is the reason and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}

// Timeout makes url.Error and os.IsTimeout see a timeout for what it is.
func (e *Error) Timeout() bool {
	return e.Reason == ErrTimeout || errors.Is(e.Err, context.DeadlineExceeded)
}

// Temporary makes an Error a net.Error, which callers of DialContext may expect.
// Nothing else is to be read into it.
func (e *Error) Temporary() bool { return e.Timeout() }

// HTTPStatus is the status that a sidecar would have answered with.
func (e *Error) HTTPStatus() int {
	switch e.Reason {
	case ErrNoRoute:
		return http.StatusNotFound
	case ErrUnknownHost:
		return http.StatusBadGateway
	case ErrTimeout:
		return http.StatusGatewayTimeout
	case ErrCanceled:
		return 499 // client closed request
	}
	return http.StatusServiceUnavailable
}

// seen is the status by which the refusal is counted: 0 for a caller who was gone,
// as Envoy counts those.
func (e *Error) seen() int {
	if e.Reason == ErrCanceled {
		return 0
	}
	return e.HTTPStatus()
}

// reasons in the order of precedence where a call carries several flags.
var reasons = []struct {
	flag   engine.Flag
	reason error
}{
	{engine.NoRoute, ErrNoRoute},
	{engine.NoCluster, ErrNoCluster},
	{engine.NoHealthyHost, ErrNoHealthy},
	{engine.Overflow, ErrOverflow},
	{engine.CallerGone, ErrCanceled},
	{engine.Timeout, ErrTimeout},
	{engine.ConnectFailure, ErrConnect},
	{engine.ConnectionEnd | engine.RemoteReset, ErrReset},
}

// newError turns the engine's refusal into the caller's error.
func newError(c *engine.Call, err error) *Error {
	e := &Error{Reason: ErrUnknownHost, Flags: c.Flags.String(), Service: c.Target.Name, Attempts: c.Tries, Err: err}
	var refusal *engine.Refusal
	if errors.As(err, &refusal) {
		e.Err = refusal.Err
		for _, r := range reasons {
			if refusal.Flag&r.flag != 0 {
				e.Reason = r.reason
				break
			}
		}
		if refusal.Err == nil && e.Reason.Error() != refusal.Reason {
			e.Err = errors.New(refusal.Reason)
		}
	}
	e.Rule = nameOf(c.Rule())
	e.Route = c.RouteName()
	if c.Destination != nil {
		e.Subset = c.Destination.Subset
	}
	if c.Host != nil {
		e.Endpoint = c.Host.Address()
	}
	return e
}
