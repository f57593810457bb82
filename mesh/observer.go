package mesh

import (
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// An Observer is hooks that are told what happens; nil ones are not. They are
// called on the goroutine of the request or of the loop concerned, never under
// a lock, possibly many at once, and must be quick.
type Observer struct {
	Request       func(RequestInfo)    // a request is over: its answer has been read, or there is none
	Retry         func(RetryInfo)      // a try failed and another follows
	Circuit       func(CircuitInfo)    // a host was ejected, may be probed, or is back
	MirrorDropped func(host string)    // a copy was not sent
	Rules         func(RulesInfo)      // rules came into force, or were rejected
	Discovery     func(DiscoveryInfo)  // finding out about endpoints failed
	Access        func(AccessInfo)     // an inbound request was refused, or a policy asks for a record of it
	Connection    func(ConnectionInfo) // a raw connection is over, or there is none: of DialContext, or of ListenTCP
	Identity      func(IdentityInfo)   // a credential came into force, or its source is in trouble
}

// RequestInfo is one request, at its end.
type RequestInfo struct {
	Service string // canonical host
	Rule    string // VirtualService, namespace/name; "" if none is in force
	Route   string // its name; with that of the match, where that has one: route.match
	// Destination is the host that the route sends to, which may be another one
	// than Service; "" if the request was not sent anywhere.
	Destination string
	Subset      string
	Endpoint    string // the last one tried; "" if none was
	Mirror      bool   // a copy, not the caller's own
	Method      string
	Status      int    // of the answer; 0 if there was none
	GRPCStatus  int    // of the answer to a gRPC call; -1: it was not one, or there was none
	Flags       string // Envoy's response flags; "-" for none
	Err         error  // why there was no answer
	Attempts    int
	Start       time.Time
	Duration    time.Duration // to the end of the answer
}

// ConnectionInfo is one raw connection, at its end.
type ConnectionInfo struct {
	Direction string // outbound or inbound
	Address   string // host:port that was dialled; of an inbound one this end
	Service   string // canonical host; "" of an inbound one, and of one that is not the mesh's
	Rule      string // VirtualService whose TCP route it took, namespace/name; "": none
	Route     string
	// Destination is the host that the route sends to.
	Destination string
	Subset      string
	Endpoint    string // "" if none was picked
	Peer        string // SPIFFE ID of who has made an inbound one; "": nobody knows
	Source      string // its address
	Flags       string // Envoy's response flags; "-" for none
	// Err is why there was no connection, or the rule that has ended it; nil: it was
	// closed.
	Err      error
	Start    time.Time
	Duration time.Duration
	// BytesSent are those of answers, BytesReceived those of requests, whichever end
	// this is.
	BytesSent, BytesReceived int64
}

// RetryInfo is one try that failed and is followed by another.
type RetryInfo struct {
	Service, Subset string
	Endpoint        string // the one that failed
	Attempt         int    // the number of the try that failed, from 1
	Status          int    // its answer; 0 if there was none
	Err             error
	Wait            time.Duration // before the next
}

// CircuitInfo is a change of one host's circuit.
type CircuitInfo struct {
	Service, Subset, Endpoint string
	Event                     breaker.Event
}

// RulesInfo is the outcome of reading rules: a version in force, or why not.
type RulesInfo struct {
	Version  string
	Objects  int // in force
	Warnings rules.Faults
	Err      error // nil if the rules are in force
}

// DiscoveryInfo is trouble with the endpoints of a service; the last good ones
// stand.
type DiscoveryInfo struct {
	Service string
	Err     error
}

// IdentityInfo is a credential in force, and trouble with its source.
type IdentityInfo struct {
	ID       string    // "": there is none
	NotAfter time.Time // when it expires
	Err      error     // why there is no newer one; nil if this is it
}

func requestInfo(c *engine.Call, now time.Time) RequestInfo {
	info := RequestInfo{
		Service: c.Target.Name, Mirror: c.Shadow, Method: c.Request.Method, Flags: c.Flags.String(),
		Attempts: c.Tries, Start: c.Start, Duration: now.Sub(c.Start), Status: c.Outcome.Status, GRPCStatus: grpcStatusOf(c), Err: c.Outcome.Err,
	}
	info.Rule, info.Route = nameOf(c.Rule()), c.RouteName()
	if c.Cluster != nil {
		info.Destination, info.Subset = c.Cluster.Key.Host, c.Cluster.Key.Subset
	}
	if c.Host != nil {
		info.Endpoint = c.Host.Address()
	}
	if c.Local != nil {
		info.Status = c.Local.Status
	}
	return info
}

// nameOf is namespace/name; "" of none.
func nameOf(rule *rules.Meta) string {
	if rule == nil {
		return ""
	}
	return rule.Namespace + "/" + rule.Name
}

func grpcStatusOf(c *engine.Call) int {
	switch {
	case c.Local != nil:
		return c.Local.GRPC
	case c.Outcome.Status == 0, c.Outcome.NotGRPC: // no answer of gRPC's
		return -1
	}
	return c.Outcome.GRPCStatus
}
