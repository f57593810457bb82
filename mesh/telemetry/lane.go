package telemetry

import (
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// A record is what one request leaves behind on its own goroutine. All else is
// done from it, a chunk at a time, by the drain.
type record struct {
	series                            *series
	end                               int64 // of the request, in Unix nanoseconds
	duration                          int64 // in nanoseconds
	requestBytes, responseBytes       int64
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
	c.records[c.n].fill(s, r)
	c.n++
	if c.n == chunkSize {
		l.open = nil
		l.recorder.hand(c)
	}
	l.mu.Unlock()
}

// fill fills a record that is zero.
func (rec *record) fill(s *series, r *Result) {
	rec.series = s
	rec.end, rec.duration = r.Start.UnixNano()+int64(r.Duration), int64(r.Duration)
	rec.requestBytes, rec.responseBytes = r.RequestBytes, r.ResponseBytes
	rec.requestMessages, rec.responseMessages = r.RequestMessages, r.ResponseMessages
	if r.Span.IsSampled() {
		rec.span = new(r.Span)
	}
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
