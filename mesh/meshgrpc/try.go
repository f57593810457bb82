package meshgrpc

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/inmesh-go/inmesh/mesh/internal/deadline"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// A try is one attempt of a call, and its context: whoever has that finds out
// where the attempt goes, as the picker does, or says what has become of it.
// gRPC may make it of several streams, where it knows that the server has not
// worked on the first.
type try struct {
	context.Context
	limit   *deadline.Limit // that a rule sets, under the Context; nil: none
	whole   time.Duration   // that it leaves, in whole milliseconds
	client  *client
	cluster *engine.Cluster
	host    *engine.Host // nil: none of the mesh's
	address string       // of a host that is none of the mesh's
	service string       // that was asked for, with its port
	wrapped bool         // by a connection of the caller's own

	asks   bool        // for what follows, which costs something
	header metadata.MD // that came back; nil: none did
	rest   metadata.MD // the trailer, on a connection of the caller's own

	mu   sync.Mutex // guards all below
	told time.Time  // the deadline that the server is told; zero: it was not asked for yet
	seen sight
	lost *atomic.Bool // the connection is
	over func(error)  // told of the end, if it comes after watch

	ended bool  // the stream has
	err   error // with it
}

// A limitedTry is a try with a limit, in one allocation.
type limitedTry struct {
	try
	own deadline.Limit
}

// A sight is what is known of an attempt's stream.
type sight struct {
	connect  error // why there is no connection to the host
	picked   bool  // there is one
	sent     bool  // headers were
	received bool  // something was
	lost     bool  // the connection is
	trailer  metadata.MD
}

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

// key is the line's that the try takes: the host's, or the address of one that is
// none of the mesh's.
func (t *try) key(lane int) any {
	switch {
	case t.host == nil:
		return t.address
	case lane == 0:
		return t.host
	}
	return laneKey{t.host, lane}
}

type laneKey struct {
	host *engine.Host
	lane int
}

// connection is the policy of connections in force.
func (t *try) connection() *plan.Connection {
	if t.host == nil {
		return new(plan.Connection)
	}
	return &t.cluster.Spec().Connection
}

// unreachable notes why there is no connection, and returns it for the picker:
// as a plain error, for there a status has a meaning of its own.
func (t *try) unreachable(err error) error {
	if err == nil {
		err = errNoConnection
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen = sight{connect: err}
	return plainError{err}
}

type plainError struct{ cause error }

func (e plainError) Error() string { return e.cause.Error() }

// takes notes the line that the try takes, perhaps in the place of another.
func (t *try) takes(l *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen, t.lost = sight{picked: true}, l.way.lost.Load()
}

// finished is what a picker is told of the stream's end. One that has come to a good
// one without a word from the server was never written: see ending.
func (t *try) finished(info balancer.DoneInfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen.sent = info.BytesSent && (info.BytesReceived || info.Err != nil)
	t.seen.received, t.seen.trailer = info.BytesReceived, info.Trailer
}

// sight is what is known by now.
func (t *try) sight() sight {
	if t.wrapped {
		return t.guess()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := t.seen
	seen.lost = t.lost != nil && t.lost.Load()
	return seen
}

// guess is what can be known of a connection of the caller's own.
func (t *try) guess() sight {
	return sight{picked: true, sent: true, received: t.header != nil || trailersOnly(t.rest), trailer: t.rest}
}

// trailersOnly: "Trailers-Only → HTTP-Status Content-Type Trailers", and no other
// trailers have a content type (gRPC over HTTP/2).
func trailersOnly(trailer metadata.MD) bool { return len(trailer["content-type"]) > 0 }

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

// ending is how a stream without headers has ended. What gRPC is still about to
// tell, the stream knows; and where the connection went before the stream was
// written, Header ends it as if all were well, and RecvMsg alone says that it is not.
func (t *try) ending(stream grpc.ClientStream) error {
	if ended, err := t.listen(nil); ended && err != nil {
		return err
	}
	if err := stream.RecvMsg(new(emptypb.Empty)); err != io.EOF {
		return err
	}
	return nil
}
