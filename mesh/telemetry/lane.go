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
const chunkSize = 256

// A chunk is records on their way to the drain.
type chunk struct {
	n       int
	records [chunkSize]record
}

// A lane is where goroutines leave records. There are a few per CPU, so that
// they seldom meet on one.
type lane struct {
	mu   sync.Mutex
	open *chunk // nil: none yet
	_    [112]byte
}

// put leaves a record, and returns the chunk if that has filled it.
func (l *lane) put(r *record, spare *sync.Pool) (full *chunk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.open
	if c == nil {
		c = spare.Get().(*chunk)
		l.open = c
	}
	c.records[c.n] = *r
	c.n++
	if c.n == chunkSize {
		l.open = nil
		return c
	}
	return nil
}

// take takes the chunk away before it is full; nil if there is none.
func (l *lane) take() *chunk {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.open
	l.open = nil
	return c
}
