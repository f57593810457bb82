package mesh

import (
	"slices"
	"time"
)

// Underway is a request that is under way: sent by this process, or served by it.
type Underway struct {
	Direction string    `json:"direction"`          // outbound or inbound
	Protocol  string    `json:"protocol,omitempty"` // "tcp" of a raw connection; "" of a request
	Start     time.Time `json:"start"`
	Method    string    `json:"method"`
	Host      string    `json:"host"`
	Path      string    `json:"path"`              // without the query
	Service   string    `json:"service,omitempty"` // canonical host that an outbound one is for
	Route     string    `json:"route,omitempty"`
	Endpoint  string    `json:"endpoint,omitempty"` // that it was last sent to; "": none yet
	Attempts  int       `json:"attempts,omitempty"`
	Mirror    bool      `json:"mirror,omitempty"` // a copy, not the caller's own
	Peer      string    `json:"peer,omitempty"`   // SPIFFE ID of who has sent an inbound one
	Source    string    `json:"source,omitempty"` // its address

	// Of a raw connection, so far: the bytes of answers, and those of requests.
	BytesSent     int64 `json:"bytesSent,omitempty"`
	BytesReceived int64 `json:"bytesReceived,omitempty"`
}

// Underway lists the requests and the raw connections under way, the oldest first:
// those that pass a
// Transport, until their answer has been read, and those that Handler has let in,
// until their handler returns. An answer that nobody reads to its end or closes is
// listed for good: it does hold its connection, a goroutine of net/http and a place
// among its destination's requests, and this is where that can be seen. Requests to
// hosts that no rule and no source knows pass unlisted.
func (m *Mesh) Underway() []Underway {
	out := []Underway{}
	for _, u := range m.engine.Underway() {
		out = append(out, Underway{
			Direction: outboundName, Start: u.Start, Method: u.Method, Host: u.Authority, Path: u.Path, Service: u.Service,
			Route: u.Route, Endpoint: u.Endpoint, Attempts: u.Tries, Mirror: u.Shadow,
		})
	}
	m.visits.Each(func(in *inbound) { out = append(out, in.underway()) })
	m.connections.board.Each(func(c *connection) { out = append(out, c.underway()) })
	slices.SortFunc(out, func(a, b Underway) int { return a.Start.Compare(b.Start) })
	return out
}

const (
	outboundName = "outbound"
	inboundName  = "inbound"
)

func (in *inbound) underway() Underway {
	v := &in.visit
	return Underway{
		Direction: inboundName, Start: in.start, Method: v.Method, Host: v.Host, Path: v.Path.Escaped(),
		Peer: v.Peer.String(), Source: in.caller.Address,
	}
}
