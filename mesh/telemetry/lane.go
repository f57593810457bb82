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

// A lane is where goroutines leave records. There are a few per CPU, so that
// they seldom meet on one.
type lane struct {
	mu   sync.Mutex // comes before the recorder's
	open *chunk     // nil: none yet
	_    [112]byte
}

// put leaves a record. A chunk that is full goes to the drain before the lane is
// anybody else's: there is no moment at which it is in neither place.
func (l *lane) put(rec *record, r *recorder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.open
	if c == nil {
		c = r.spare.Get().(*chunk)
		l.open = c
	}
	c.records[c.n] = *rec
	c.n++
	if c.n == chunkSize {
		l.open = nil
		r.hand(c)
	}
}

// flush hands over the chunk before it is full.
func (l *lane) flush(r *recorder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.open; c != nil {
		l.open = nil
		r.hand(c)
	}
}
