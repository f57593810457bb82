package meshgrpc

import (
	"context"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
)

// A try is one attempt of a call, and its context: whoever has that finds out
// where the attempt goes, as the picker does, or says what has become of it.
// gRPC may make it of several streams, where it knows that the server has not
// worked on the first.
type try struct {
	context.Context
	client  *client
	cluster *engine.Cluster
	host    *engine.Host // nil: none of the mesh's
	address string       // of a host that is none of the mesh's
	name    string       // that was asked for
	wrapped bool         // by a connection of the caller's own
	header  metadata.MD  // what comes back, if it is
	rest    metadata.MD

	mu      sync.Mutex // guards all below
	seen    sight
	trailer metadata.MD
	connect error       // why there is no connection to the host
	over    func(error) // told of the end, if it comes after watch
	ended   bool        // the stream has
	err     error       // with it
}

// A sight is what has been seen of an attempt's stream.
type sight uint8

const (
	sawRequest sight = 1 << iota // headers were sent
	sawMessage                   // a message was
	sawHeader                    // headers came back
	sawTrailer                   // a status came back
)

func (s sight) has(what sight) bool { return s&what != 0 }

type tryKey struct{}

// Value implements context.Context.
func (t *try) Value(key any) any {
	if key == (tryKey{}) {
		return t
	}
	return t.Context.Value(key)
}

// tryOf is the try that a context is of, or belongs to; nil if there is none.
func tryOf(ctx context.Context) *try {
	t, _ := ctx.Value(tryKey{}).(*try)
	return t
}

// key is the line's that the try takes.
func (t *try) key() any {
	if t.host == nil {
		return t.address
	}
	return t.host
}

// unreachable notes why there is no connection, and returns it for the picker:
// as a plain error, for there a status has a meaning of its own.
func (t *try) unreachable(err error) error {
	if err == nil {
		err = errNoConnection
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.connect = err
	return plainError{err}
}

type plainError struct{ cause error }

func (e plainError) Error() string { return e.cause.Error() }

// begin: a stream begins, perhaps in the place of another.
func (t *try) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen, t.trailer, t.connect = 0, nil, nil
}

func (t *try) saw(what sight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen |= what
}

func (t *try) sawStatus(trailer metadata.MD) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen |= sawTrailer
	t.trailer = trailer
}

// end: the stream has ended; no other takes its place. Only the first to say so
// is heard.
func (t *try) end(err error) {
	if over := t.finish(err); over != nil {
		over(err)
	}
}

func (t *try) finish(err error) (over func(error)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return nil
	}
	t.ended, t.err = true, err
	over, t.over = t.over, nil
	return over
}

// watch has over called, once, when the stream ends or, if it has already, now.
func (t *try) watch(over func(error)) {
	if ended, err := t.listen(over); ended {
		over(err)
	}
}

func (t *try) listen(over func(error)) (ended bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.over = over
	}
	return t.ended, t.err
}

// guess is what can be known of the stream of a connection that has no recorder:
// a status in headers comes with their content type.
func (t *try) guess() sight {
	switch {
	case t.header != nil:
		return sawRequest | sawHeader | sawTrailer
	case len(t.rest["content-type"]) > 0:
		return sawRequest | sawTrailer
	}
	return sawRequest
}

// ending is how a stream without headers has ended. What gRPC is still about to
// tell, the stream knows.
func (t *try) ending(stream grpc.ClientStream) error {
	if ended, err := t.listen(nil); ended {
		return err
	}
	if err := stream.RecvMsg(new(emptypb.Empty)); err != io.EOF {
		return err
	}
	return nil
}

// sight is what has been seen so far.
func (t *try) sight() (seen sight, trailer metadata.MD, connect error) {
	if t.wrapped {
		return t.guess(), t.rest, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen, t.trailer, t.connect
}
