package telemetry

import (
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

// A record is what one request leaves behind on its own goroutine, beside what the
// topology is told as it is. All else is done from it, a chunk at a time, by the
// drain.
type record struct {
	series                            *series
	requestMessages, responseMessages uint32
	span                              *trace.SpanContext // of a sampled request
}

// chunkSize is so that a chunk is handed over seldom, and is small enough for an
// idle process to have a few.
const chunkSize = 128

// A chunk is records on their way to the drain.
type chunk struct {
	n       int
	records [chunkSize]record
	calls   [chunkSize]topology.Call // the same requests'
}

// A run is requests of one series that follow one another: what is found out for
// the first holds for all.
type run struct {
	*series
	records []record
	calls   []topology.Call
}

// runs are all of the chunk.
func (c *chunk) runs(yield func(run) bool) {
	for from, to := 0, 0; from < c.n; from = to {
		s := c.records[from].series
		for to = from + 1; to < c.n && c.records[to].series == s; to++ {
		}
		if !yield(run{s, c.records[from:to], c.calls[from:to]}) {
			return
		}
	}
}

// A Lane is where requests are counted at first: see Result. There are a few per
// CPU, so that those who keep theirs seldom meet on one.
type Lane struct {
	recorder *recorder

	mu   sync.Mutex // comes before the recorder's
	open *chunk     // nil: none yet
	_    [104]byte  // keeps the next one off this cache line, and off the one fetched with it
}

// put leaves a record. A chunk that is full goes to the drain before the lane is
// anybody else's: there is no moment at which it is in neither place.
func (l *Lane) put(s *series, r *Result) {
	l.mu.Lock()
	c := l.open
	if c == nil {
		c = l.recorder.spare.Get().(*chunk)
		l.open = c
	}
	c.fill(s, r)
	if c.n == chunkSize {
		l.open = nil
		l.recorder.hand(c)
	}
	l.mu.Unlock()
}

// fill fills the next record, which is zero.
func (c *chunk) fill(s *series, r *Result) {
	rec, call := &c.records[c.n], &c.calls[c.n]
	rec.series = s
	rec.requestMessages, rec.responseMessages = r.RequestMessages, r.ResponseMessages
	if r.Span.IsSampled() {
		rec.span = new(r.Span)
	}
	call.End, call.Duration, call.Failed = r.Start.UnixNano()+int64(r.Duration), r.Duration, s.failed
	call.BytesSent, call.BytesReceived = r.ResponseBytes, r.RequestBytes
	c.n++
}

// flush hands over the chunk before it is full.
func (l *Lane) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.open; c != nil {
		l.open = nil
		l.recorder.hand(c)
	}
}
