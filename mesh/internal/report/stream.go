package report

import (
	"sync"
	"sync/atomic"

	"github.com/inmesh-go/inmesh/mesh/internal/flight"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// A Stream is the messages of a call. Those of one that is followed are told each time
// that somebody collects metrics, for it may never end; what is left, at its end. The
// zero Stream is good for one call. It is safe for concurrent use.
type Stream struct {
	Requests, Responses Freight

	edge   *telemetry.Edge
	flight flight.Entry[Stream]

	mu                  sync.Mutex // orders what is told
	requests, responses int64      // that have been told
}

// A Freight is the messages that have gone one way.
type Freight struct{ messages, bytes atomic.Int64 }

// Add adds a message of so many bytes.
func (f *Freight) Add(bytes int64) {
	f.messages.Add(1)
	f.bytes.Add(bytes)
}

// Follow begins to tell of the messages of a call that is answered. Secure is set.
func (o *Outbound) Follow(s *Stream) {
	if o.reporter != nil {
		o.reporter.follow(s, o.reporter.to(o.call, o.Protocol, o.Secure))
	}
}

// Follow begins to tell of the messages of a call that was let in; by has its protocol
// and its peer.
func (i *Inbound) Follow(s *Stream, by *Served) {
	if i.reporter != nil {
		i.reporter.follow(s, i.reporter.from(by))
	}
}

func (r *Reporter) follow(s *Stream, e *telemetry.Edge) {
	s.edge = e
	r.streams.Any().Enter(&s.flight, s)
}

// TellStreams tells what has passed on the streams that are followed. They are
// gathered first: telling takes its time, and none could end meanwhile.
func (r *Reporter) TellStreams() {
	if r == nil {
		return
	}
	var all []*Stream
	r.streams.Each(func(s *Stream) { all = append(all, s) })
	for _, s := range all {
		if requests, responses := s.rest(); requests+responses > 0 {
			s.edge.Messages(requests, responses)
		}
	}
}

// Conclude fills in what is left to tell of a call that is over.
func (s *Stream) Conclude(r *telemetry.Result) {
	s.flight.Leave()
	requests, responses := s.rest()
	r.RequestMessages, r.ResponseMessages = uint32(requests), uint32(responses)
	r.RequestBytes, r.ResponseBytes = s.Requests.bytes.Load(), s.Responses.bytes.Load()
}

// rest is what has passed since the last time.
func (s *Stream) rest() (requests, responses int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests, responses = s.Requests.messages.Load()-s.requests, s.Responses.messages.Load()-s.responses
	s.requests += requests
	s.responses += responses
	return requests, responses
}
