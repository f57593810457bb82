package telemetry

import "time"

// Details are what is known of a request beside how it came out: what
// expressions, the access log and custom tags of spans ask for. Nobody changes
// what a Details refers to until Record and Finish have returned. What is "" or
// nil is not known.
type Details struct {
	Method, Scheme, Host string
	Path                 string // with the query, as it was sent
	OriginalPath         string // before it was rewritten
	Protocol             string // HTTP/1.1
	RequestHeader        map[string][]string
	ResponseHeader       map[string][]string
	ResponseTrailer      map[string][]string
	Route                string // its name
	Template             string // of the path, by which the server chose a handler: /reviews/{id}
	Cluster              string // where it was sent, outbound|9080|v1|reviews.default.svc.cluster.local
	CodeDetails          string // why the mesh itself answered
	Termination          string // why the connection was closed
	TransportFailure     string // why none was made
	SourceAddress        string // host:port of the caller
	DestinationAddress   string // host:port that the caller connected to
	UpstreamAddress      string // host:port of the endpoint that was tried last
	UpstreamLocalAddress string
	ServerName           string // of TLS
	TLSVersion           string // TLSv1.3
	Attempts             int
	// RequestHead and ResponseHead are how much of Result.RequestBytes and
	// Result.ResponseBytes is not body: access logs and expressions tell bodies.
	RequestHead, ResponseHead int64
	Upstream                  time.Duration // from the first byte sent upstream to the first received; 0: not known
}
