package h1

import (
	"errors"
	"io"
	"sync/atomic"
)

var errClosed = errors.New("h1: read on closed response body")

// A body is an answer's. Its end, whichever comes first, gives the connection up:
// for the next request if all has been read, for good if it was closed early or
// broke off. Close may be called while another goroutine reads.
type body struct {
	source io.ReadCloser // http.ReadResponse's
	conn   *conn
	trip   trip
	reuse  bool // the connection outlives the answer
	over   atomic.Pointer[ending]
}

// An ending is what Read says from then on.
type ending struct{ err error }

// Two endings that all bodies share; neither changes.
var (
	complete = &ending{io.EOF}
	closed   = &ending{errClosed}
)

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if e := b.over.Load(); e != nil {
		return 0, e.err
	}
	n, err := b.source.Read(p)
	if err == nil {
		return n, nil
	}
	return n, b.end(err)
}

// end is called by the Read that met the end, good or bad.
func (b *body) end(err error) error {
	e := complete
	if err != io.EOF {
		e = &ending{b.trip.explain(err)}
	}
	if !b.over.CompareAndSwap(nil, e) {
		return b.over.Load().err
	}
	if e == complete {
		b.conn.finish(b.reuse)
	} else {
		b.conn.abandon()
	}
	b.trip.end()
	return e.err
}

// Close implements io.Closer. It does not read what is left: the connection is
// closed.
func (b *body) Close() error {
	if e := b.over.Swap(closed); e == nil {
		b.conn.abandon() // which wakes a Read
		b.trip.end()
	}
	return nil
}

// isClosed reports whether Close was called.
func (b *body) isClosed() bool { return b.over.Load() == closed }
