package replay

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"sync"
)

// The errors of Body and of the readers that it hands out.
var (
	// ErrCut is what a reader returns once a later attempt has begun, or the
	// Body or the reader itself was closed.
	ErrCut = errors.New("replay: the attempt that reads this request body is over")
	// ErrSpent is what Next returns when bytes were sent that had not been kept.
	ErrSpent = errors.New("replay: the request body was sent, and is longer than the part that is kept")
	// ErrOver is what Next returns after Finish or Close.
	ErrOver = errors.New("replay: the request is over")
	// ErrPartial is what Copy returns when the body has not been read whole
	// within its limit.
	ErrPartial = errors.New("replay: the request body has not been read whole within its limit")
)

// A Body is a request body that several attempts can send, one after the other.
type Body struct {
	original io.ReadCloser // nil for a request without a body
	getBody  func() (io.ReadCloser, error)
	declared int // bytes to make room for at the first read
	limit    int

	mu      sync.Mutex // guards all below; never held while the original is read or closed
	changed sync.Cond  // broadcast when reading, current, phase or an attempt's closed changes
	kept    []byte     // all that was read so far, unless lost; appended to, never changed
	lost    bool       // a byte was sent and not kept
	end     error      // how the original ended; nil while there may be more
	taken   int64      // bytes of the original that were read
	reading *attempt   // who is inside original.Read
	current *attempt   // the newest attempt on the original
	first   attempt    // the first attempt stands here to save its allocation
	phase   phase
	closed  bool // somebody closes or has closed the original
}

// A phase says who may still want the original.
type phase uint8

const (
	open     phase = iota // the current attempt, and later ones
	finished              // the current attempt alone
	copied                // nobody: later attempts read what GetBody gives
	over                  // nobody, and no attempt begins any more
)

// none stands for every absent body. Nothing in it ever changes.
var none Body

// New wraps body, of which at most limit bytes are kept for sending it again;
// getBody, if not nil, makes keeping unnecessary. contentLength is the
// request's: 0 and -1 mean unknown, as in http.Request. Nothing is read. A nil
// body and http.NoBody can be sent any number of times, and cost nothing.
func New(body io.ReadCloser, getBody func() (io.ReadCloser, error), contentLength, limit int64) *Body {
	if body == nil || body == http.NoBody {
		return &none
	}
	b := &Body{original: body, getBody: getBody}
	if getBody == nil && contentLength <= limit {
		b.limit = int(min(max(limit, 0), math.MaxInt))
		b.declared = int(max(contentLength, 0))
	}
	b.changed.L = &b.mu
	return b
}

// Next returns the body for the next attempt, from its first byte, and cuts off
// the attempt before. It does not wait; but the new reader may have to, while
// its predecessor is still inside a Read of the original. The error is
// ErrSpent, ErrOver or what GetBody returned.
func (b *Body) Next() (io.ReadCloser, error) {
	if b.original == nil {
		return http.NoBody, nil
	}
	return b.next()
}

func (b *Body) next() (io.ReadCloser, error) {
	next, closeDue, err := b.begin()
	b.closeIf(closeDue)
	switch {
	case err != nil:
		return nil, err
	case next == nil:
		return b.getBody()
	}
	return next, nil
}

// begin makes a new attempt the current one. It returns nil for an attempt that
// is to read from GetBody.
func (b *Body) begin() (next *attempt, closeDue bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.changed.Broadcast()
	switch {
	case b.phase == finished || b.phase == over:
		return nil, false, ErrOver
	case b.current == nil:
		next = &b.first
	case b.getBody != nil:
		b.phase = copied
		return nil, b.closeDueLocked(), nil
	case b.lost:
		return nil, false, ErrSpent
	default:
		next = new(attempt)
	}
	next.body = b
	b.current = next
	return next, false, nil
}

// Replayable reports whether Next can give a body: false once bytes were sent
// that are not kept, and after Finish or Close.
func (b *Body) Replayable() bool {
	return b.original == nil || b.replayable()
}

func (b *Body) replayable() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return (b.phase == open || b.phase == copied) && (b.getBody != nil || !b.lost)
}

// Err is how reading the original failed; nil if it has not, or has ended well.
func (b *Body) Err() error {
	if b.original == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.end == io.EOF {
		return nil
	}
	return b.end
}

// Taken is how many bytes of the original have been read so far, and whether these
// are all.
func (b *Body) Taken() (n int64, whole bool) {
	if b.original == nil {
		return 0, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.taken, b.end == io.EOF
}

// Copy returns a body of its own to somebody who is no attempt, such as a
// mirror: from GetBody, or of what was kept once an attempt has read the
// original to its end within the limit; otherwise the error is ErrPartial.
// Finish and Close do not matter to it.
func (b *Body) Copy() (io.ReadCloser, error) {
	switch {
	case b.original == nil:
		return http.NoBody, nil
	case b.getBody != nil:
		return b.getBody()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lost || b.end != io.EOF {
		return nil, ErrPartial
	}
	return io.NopCloser(bytes.NewReader(b.kept)), nil
}

// Finish says that the current attempt is the last. It may go on sending, as a
// RoundTripper may after it has returned a response; the original is closed
// when that attempt's reader is, or at once if there is no such reader.
func (b *Body) Finish() {
	if b.original != nil {
		b.finish()
	}
}

func (b *Body) finish() { _ = b.closeIf(b.enter(finished)) }

// Close says that nobody wants the body any more: the current attempt is cut
// off, and the original closed. A Read of the original that is going on is not
// disturbed, as bodies need not stand a Close meanwhile (and that of a server's
// request waits for the Read): then the original is closed as that Read
// returns, or before, when the transport itself closes the reader. Close
// returns the original's error where it closed it; it may be called again.
func (b *Body) Close() error {
	if b.original == nil {
		return nil
	}
	return b.closeIf(b.enter(over))
}

// enter moves on to phase p, never back, and reports whether the caller has to
// close the original.
func (b *Body) enter(p phase) (closeDue bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.changed.Broadcast()
	if b.phase == copied {
		p = over
	}
	b.phase = max(b.phase, p)
	return b.closeDueLocked()
}

// closeDueLocked reports, once, that the original is to be closed now.
func (b *Body) closeDueLocked() bool {
	unwanted := b.phase >= copied || b.phase == finished && (b.current == nil || b.current.closed)
	inUse := b.reading != nil && !b.reading.closed
	due := unwanted && !inUse && !b.closed
	b.closed = b.closed || due
	return due
}

func (b *Body) closeIf(due bool) error {
	if !due {
		return nil
	}
	return b.original.Close()
}
