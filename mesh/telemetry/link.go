package telemetry

// A Link is a pair of workloads of which one, the reporter, is this process. It
// is comparable: links that are equal have one Edge.
type Link struct {
	Reporter Reporter
	Protocol Protocol
	// Peer is the other end: where a call goes, or where it comes from.
	Peer Workload
	// Service is what is called. On the server, where it is not known, the own
	// canonical service stands for it.
	Service Service
	// Principal is the own SPIFFE ID, with spiffe://, as the connection proves
	// it; "": it proves none. Both this and the peer's make a connection one of
	// mutual TLS.
	Principal string
}

// A Service is what a call is addressed to. What is "" is unknown.
type Service struct {
	Host string // its full name, reviews.default.svc.cluster.local; of an unknown service, what the caller wrote
	Name string // its short name, reviews; "": Host
	// Namespace is where the service stands. "": the namespace of the workload
	// that serves it.
	Namespace string
}

// Names that Istio gives to what is no service.
const (
	Passthrough        = "PassthroughCluster"        // a host that no rule and no source knows
	BlackHole          = "BlackHoleCluster"          // the same, where such are refused
	InboundPassthrough = "InboundPassthroughCluster" // a port of this workload that no service has
)

// A Reporter is the end of a call that reports it.
type Reporter uint8

const (
	// Source is the client.
	Source Reporter = iota
	// Destination is the server.
	Destination
)

// String is Istio's value of the label reporter.
func (r Reporter) String() string {
	if r == Destination {
		return "destination"
	}
	return "source"
}

// A Protocol is what is spoken.
type Protocol uint8

// The protocols that Istio's metrics tell apart.
const (
	HTTP Protocol = iota
	GRPC
	TCP
)

// String is Istio's value of the label request_protocol.
func (p Protocol) String() string {
	switch p {
	case GRPC:
		return "grpc"
	case TCP:
		return "tcp"
	}
	return "http"
}
