package mesh

import (
	"net/http"
	"slices"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/mask"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
)

// A TapEvent is a request that is over. There are no bodies in it, and secrets are
// masked: headers, parameters and texts that are called like one or look like one.
type TapEvent struct {
	Direction string    `json:"direction"` // outbound or inbound
	Start     time.Time `json:"start"`
	Duration  float64   `json:"durationMilliseconds"` // to the end of the answer
	Method    string    `json:"method"`
	Host      string    `json:"host"`
	Path      string    `json:"path"`
	Query     string    `json:"query,omitempty"`
	Status    int       `json:"status"` // of the answer; 0 if there was none
	// GRPCStatus is of the answer to a gRPC call; nil: it was not one, or there was none.
	GRPCStatus *int   `json:"grpcStatus,omitempty"`
	Flags      string `json:"flags"` // Envoy's response flags; "-" for none
	Error      string `json:"error,omitempty"`
	// Headers are the request's.
	Headers map[string][]string `json:"headers,omitempty"`

	Service     string `json:"service,omitempty"` // canonical host that an outbound one is for
	Rule        string `json:"rule,omitempty"`    // VirtualService, namespace/name
	Route       string `json:"route,omitempty"`
	Destination string `json:"destination,omitempty"` // canonical host that it was sent to
	Subset      string `json:"subset,omitempty"`
	Endpoint    string `json:"endpoint,omitempty"` // the last one tried
	Attempts    int    `json:"attempts,omitempty"`
	Mirror      bool   `json:"mirror,omitempty"` // a copy, not the caller's own

	Peer   string `json:"peer,omitempty"`   // SPIFFE ID of who has sent an inbound one
	Source string `json:"source,omitempty"` // its address
}

func (e *TapEvent) mask() {
	e.Path, e.Query, e.Error = mask.Short(e.Path, mask.Text), mask.Short(e.Query, mask.Query), mask.Short(e.Error, mask.Text)
	e.Host, e.Method = mask.Short(e.Host, mask.Text), mask.Short(e.Method, mask.Text)
	for name, values := range e.Headers {
		e.Headers[name] = mask.Header(name, values)
	}
}

// maxHeaders is how many headers are shown.
const maxHeaders = 64

func cloned(h map[string][]string) map[string][]string {
	out := make(map[string][]string, min(len(h), maxHeaders))
	for name, values := range h {
		if len(out) == maxHeaders {
			break
		}
		out[name] = slices.Clone(values)
	}
	return out
}

// size is about what the event holds on to: its texts are parts of the request's
// head, which stands as a whole in memory as long as one of them does.
func (e *TapEvent) size(headers map[string][]string) int64 {
	n := 512 + len(e.Path) + len(e.Query) + len(e.Host) + len(e.Error)
	for name, values := range headers {
		n += len(name)
		for _, v := range values {
			n += 16 + len(v)
		}
	}
	return int64(n)
}

// tapped is an outbound request for the taps.
func tapped(c *engine.Call, now time.Time) TapEvent {
	i := requestInfo(c, now)
	e := TapEvent{
		Direction: outboundName, Start: i.Start, Duration: milliseconds(i.Duration), Method: i.Method, Host: c.Request.Authority,
		Path: c.Request.Path, Query: c.Request.RawQuery, Status: i.Status, Flags: i.Flags, Service: i.Service, Rule: i.Rule,
		Route: i.Route, Destination: i.Destination, Subset: i.Subset, Endpoint: i.Endpoint, Attempts: i.Attempts, Mirror: i.Mirror,
	}
	if i.GRPCStatus >= 0 {
		e.GRPCStatus = &i.GRPCStatus
	}
	if i.Err != nil {
		e.Error = i.Err.Error()
	}
	return e
}

// tap tells the taps of an inbound request. Of one that began before anybody listened
// no headers are known, and nothing where there is no telemetry either.
func (in *inbound) tap(m *Mesh, r *http.Request, refusal *guard.Refusal, returned bool) {
	all := m.taps.listening()
	if all == nil || in.answer.ResponseWriter == nil {
		return
	}
	status, flags := in.seen(r, returned)
	e := in.event()
	e.Method, e.Host, e.Query, e.Source = r.Method, r.Host, r.URL.RawQuery, r.RemoteAddr
	e.Status, e.Flags = status, (flags | report.Refused(refusal)).String()
	if refusal != nil {
		e.Error = refusal.Error()
	}
	tell(all, e, in.asked.header)
}

// event is what is known of an inbound request however it has come.
func (in *inbound) event() TapEvent {
	v := &in.visit
	return TapEvent{
		Direction: inboundName, Start: in.start, Duration: milliseconds(time.Since(in.start)), Method: v.Method, Host: v.Host,
		Path: in.path, Peer: v.Peer.String(), Source: in.caller.Address,
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
