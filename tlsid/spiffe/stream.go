package spiffe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/tlsid"
)

// news is what an agent has said: a credential, valid but for its time, or an
// error.
type news struct {
	credential tlsid.Credential
	err        error
}

// A stream follows the agent on a goroutine of its own, from open to close.
type stream struct {
	source *Source
	news   chan news       // closed when ctx has ended
	ctx    context.Context // ends with the Watch or the loop over it; go-spiffe calls back without one
	cancel context.CancelFunc
	pauses pauses
}

func (s *Source) open(ctx context.Context) *stream {
	ctx, cancel := context.WithCancel(ctx)
	st := &stream{source: s, news: make(chan news), ctx: ctx, cancel: cancel}
	go st.run()
	return st
}

// close waits until the stream has ended.
func (st *stream) close() {
	st.cancel()
	for range st.news {
	}
}

// run follows the agent until ctx ends. It does not let go-spiffe give up, as it
// does after InvalidArgument ("Clients encountering the InvalidArgument status
// code SHOULD NOT retry") and Canceled: an agent in an upgrade may say these
// too, and a process that asks no more dies with its credential.
func (st *stream) run() {
	defer close(st.news)
	for st.ctx.Err() == nil {
		st.follow()
		st.rest(st.pauses.Next())
	}
}

// follow returns when ctx ends or go-spiffe gives up.
func (st *stream) follow() {
	client, err := workloadapi.New(st.ctx, st.options()...)
	if err != nil {
		st.OnX509ContextWatchError(err)
		return
	}
	defer client.Close()                    // it closes a connection: nothing is lost if that fails
	_ = client.WatchX509Context(st.ctx, st) // the stream has been told
}

func (st *stream) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-st.ctx.Done():
	}
}

// OnX509ContextUpdate implements workloadapi.X509ContextWatcher.
func (st *stream) OnX509ContextUpdate(update *workloadapi.X509Context) {
	credential, err := st.source.want.credential(update, time.Now())
	if err != nil {
		st.OnX509ContextWatchError(err)
		return
	}
	st.pauses.restart()
	st.tell(news{credential: credential})
}

// OnX509ContextWatchError implements workloadapi.X509ContextWatcher.
func (st *stream) OnX509ContextWatchError(err error) {
	st.tell(news{err: fmt.Errorf("the Workload API at %s: %w", st.source.addr, explain(err))})
}

func (st *stream) tell(n news) {
	select {
	case st.news <- n:
	case <-st.ctx.Done():
	}
}

// explain makes go-spiffe's errors say what they mean.
func explain(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the agent ended the stream")
	case status.Code(err) == codes.PermissionDenied:
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}

// No proxy of the environment is used: what the agent sends has private keys.
func (st *stream) options() []workloadapi.ClientOption {
	return []workloadapi.ClientOption{
		workloadapi.WithAddr(st.source.addr),
		workloadapi.WithBackoffStrategy(&st.pauses),
		workloadapi.WithDialOptions(grpc.WithNoProxy(), grpc.WithConnectParams(dialling())),
	}
}

// dialling bounds gRPC's own back-off far below that of the stream. Its default
// grows to two minutes, for which gRPC would fail every call though the agent is
// back; to try a local socket costs nothing.
func dialling() grpc.ConnectParams {
	return grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: firstPause, Multiplier: 2, Jitter: 0.2, MaxDelay: time.Second},
		MinConnectTimeout: maxPause,
	}
}
