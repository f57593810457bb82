package spiffe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/tlsid"
)

// ErrDenied is yielded (wrapped) when the agent has no identity for this
// process, or no longer, or not yet: none of its entries selects it.
var ErrDenied = errors.New("the agent has no identity for this process")

// A Config says where the agent is, and which of its identities is wanted. The
// zero value works where the environment names the agent.
type Config struct {
	// Addr is where the agent serves the Workload API: a URI such as
	// "unix:///run/spire/sockets/agent.sock" or "tcp://127.0.0.1:8000". Empty
	// means what SPIFFE_ENDPOINT_SOCKET says when the Source is made.
	Addr string
	// ID is the identity to take of several. Zero means any.
	ID tlsid.ID
	// Hint is the operator's hint ("internal", "external") at the identity to
	// take of several. Empty means any. If ID is set too, both must fit.
	Hint string
}

// A Source is a tlsid.Source that follows the Workload API.
type Source struct {
	addr string
	want choice
}

// NewSource returns the Source that c describes. It does not wait for the agent:
// an absent one is an error that Watch yields. The error here is that of an
// address which is missing or is none.
func NewSource(c Config) (*Source, error) {
	addr, err := address(c.Addr)
	if err != nil {
		return nil, fmt.Errorf("spiffe: %w", err)
	}
	return &Source{addr: addr, want: choice{id: c.ID, hint: c.Hint}}, nil
}

// Watch implements tlsid.Source: it yields the credential as soon as the agent
// says it and after each change, and errors between. The package's comment says
// what each of the agent's answers does, and which end the sequence.
func (s *Source) Watch(ctx context.Context) iter.Seq2[tlsid.Credential, error] {
	return func(yield func(tlsid.Credential, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		w := &watch{ctx: ctx, cancel: cancel, source: s, yield: yield}
		client, err := workloadapi.New(ctx, w.options()...)
		if err != nil {
			w.OnX509ContextWatchError(err)
			return
		}
		defer client.Close()                // closes a connection: nothing is lost when it fails
		_ = client.WatchX509Context(ctx, w) // w was told
	}
}

// A watch is one Watch in progress. go-spiffe calls it from within
// WatchX509Context, on the goroutine that ranges over the sequence.
type watch struct {
	ctx    context.Context // ends with the caller's, and when the caller has enough
	cancel context.CancelFunc
	source *Source
	yield  func(tlsid.Credential, error) bool
	pauses pauses
}

// OnX509ContextUpdate implements workloadapi.X509ContextWatcher.
func (w *watch) OnX509ContextUpdate(update *workloadapi.X509Context) {
	credential, err := w.source.want.credential(update)
	if err != nil {
		w.OnX509ContextWatchError(err)
		return
	}
	w.pauses.restart()
	w.tell(credential, nil)
}

// OnX509ContextWatchError implements workloadapi.X509ContextWatcher.
func (w *watch) OnX509ContextWatchError(err error) {
	w.tell(tlsid.Credential{}, fmt.Errorf("the Workload API at %s: %w", w.source.addr, explain(err)))
}

// tell yields, unless the caller has had enough: then the end of the stream, which
// is the watch's own doing, is no news, and yield must not be called again.
func (w *watch) tell(credential tlsid.Credential, err error) {
	if w.ctx.Err() == nil && !w.yield(credential, err) {
		w.cancel()
	}
}

// explain makes errors of go-spiffe say what they mean.
func explain(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the agent ended the stream")
	case status.Code(err) == codes.PermissionDenied:
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}

func (w *watch) options() []workloadapi.ClientOption {
	return []workloadapi.ClientOption{
		workloadapi.WithAddr(w.source.addr),
		workloadapi.WithBackoffStrategy(&w.pauses),
		workloadapi.WithDialOptions(grpc.WithNoProxy(), grpc.WithConnectParams(dialling())),
	}
}

// dialling bounds the pauses of gRPC's own back-off below that of the watch.
// gRPC's default grows to two minutes, for which it would refuse every call
// though the agent is back; a local socket costs nothing to try.
func dialling() grpc.ConnectParams {
	return grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: firstPause, Multiplier: 2, Jitter: 0.2, MaxDelay: time.Second},
		MinConnectTimeout: maxPause,
	}
}
