package spiffe_test

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// An agent serves the published Workload API on a unix socket. Each open stream
// gets the answer that is set, and each one that is set later.
type agent struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	socket string
	server *grpc.Server
	done   chan struct{} // closed when server has returned

	mu      sync.Mutex // orders the changes of what follows
	answer  answer
	changed chan struct{} // closed when answer is replaced
}

// An answer is what a stream gets: a response, and then silence, the end in
// good order, or a status.
type answer struct {
	response *workload.X509SVIDResponse // nil: none
	end      bool
	err      error
}

// newAgent starts an agent that is not ready yet.
func newAgent(t *testing.T) *agent {
	t.Helper()
	a := &agent{socket: filepath.Join(t.TempDir(), "s"), changed: make(chan struct{})}
	a.refuse(codes.Unavailable, "starting")
	a.start()
	t.Cleanup(a.stop)
	return a
}

func (a *agent) addr() string { return "unix://" + a.socket }

func (a *agent) start() {
	listener, err := net.Listen("unix", a.socket)
	if err != nil {
		panic(err) // the directory is the test's own
	}
	server, done := grpc.NewServer(), make(chan struct{})
	workload.RegisterSpiffeWorkloadAPIServer(server, a)
	go func() {
		defer close(done)
		_ = server.Serve(listener) // it ends with stop, which takes the socket with it
	}()
	a.server, a.done = server, done
}

// stop breaks all streams, as an agent does that is killed.
func (a *agent) stop() {
	a.server.Stop()
	<-a.done
}

// send lets all streams have this response, now or when they are opened.
func (a *agent) send(response *workload.X509SVIDResponse) { a.set(answer{response: response}) }

// sendAndEnd lets streams have this response and then end in good order.
func (a *agent) sendAndEnd(response *workload.X509SVIDResponse) {
	a.set(answer{response: response, end: true})
}

// refuse ends all streams with this status.
func (a *agent) refuse(code codes.Code, text string) { a.set(answer{err: status.Error(code, text)}) }

func (a *agent) set(next answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = next
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *agent) now() (answer, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.answer, a.changed
}

// FetchX509SVID implements the Workload API.
func (a *agent) FetchX509SVID(_ *workload.X509SVIDRequest, stream workload.SpiffeWorkloadAPI_FetchX509SVIDServer) error {
	if err := checkHeader(stream.Context()); err != nil {
		return err
	}
	for {
		answer, changed := a.now()
		if done, err := answer.give(stream); done {
			return err
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return nil
		}
	}
}

func (a answer) give(stream workload.SpiffeWorkloadAPI_FetchX509SVIDServer) (done bool, _ error) {
	if a.response != nil {
		if err := stream.Send(a.response); err != nil {
			return true, err
		}
	}
	return a.end || a.err != nil, a.err
}

// "every client request to the SPIFFE Workload Endpoint MUST include the static
// gRPC metadata key workload.spiffe.io with a value of true (case sensitive)."
// https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_Endpoint.md#3-transport
func checkHeader(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	if values := md.Get("workload.spiffe.io"); len(values) != 1 || values[0] != "true" {
		return status.Error(codes.InvalidArgument, "security header missing from request")
	}
	return nil
}
