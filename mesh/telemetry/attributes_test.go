package telemetry_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/cel"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// Of a request of which all is known, every attribute that rules may name without
// a warning is there.
func TestEveryAttributeThatRulesMayNameIsKnown(t *testing.T) {
	r := ok()
	r.GRPC = 0
	header := map[string][]string{"Referer": {"a"}, "User-Agent": {"b"}, "X-Request-Id": {"c"}}
	r.Details = &telemetry.Details{
		Method: "POST", Scheme: "http", Host: "reviews", Path: "/a?b=c", Protocol: "HTTP/2",
		RequestHeader: header, ResponseHeader: header, ResponseTrailer: header, Route: "r", Cluster: "c", CodeDetails: "d",
		Termination: "t", TransportFailure: "f", SourceAddress: "10.0.0.9:1", DestinationAddress: "10.0.0.1:2",
		UpstreamAddress: "10.0.0.1:2", ServerName: "s", TLSVersion: "TLSv1.3", Attempts: 1, Upstream: time.Second,
	}
	link := toReviews()
	link.Protocol = telemetry.GRPC
	for _, name := range cel.AttributeNames() {
		b, out := logged(t)
		apply(t, b, spec(t, `{"accessLogging": [{"filter": {"expression": `+strconv.Quote("has("+name+")")+`}}]}`))
		b.Log(context.Background(), b.Edge(link), &r)
		if out.Len() == 0 {
			t.Errorf("there is no %s", name)
		}
	}
}
