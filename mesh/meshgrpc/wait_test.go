package meshgrpc_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

const onlyOnce = "  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 0}"

// leaves is a server that has had a message when it says that it has worked on no
// stream, and hangs up.
func leaves(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	_, _ = io.CopyN(io.Discard, in, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	_, _ = c.Write([]byte{0, 0, 0, typeSettings, 0, 0, 0, 0, 0})
	for {
		var header [9]byte
		if _, err := io.ReadFull(in, header[:]); err != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, in, int64(binary.BigEndian.Uint32(header[:])>>8))
		if header[3] == typeData {
			_, _ = c.Write([]byte{0, 0, 8, typeGoAway, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
		}
	}
}

const (
	typeData   = 0
	typeGoAway = 7
)

// The caller has sent already when the connection leaves the stream out and there is
// no other: what was sent goes with the stream of the next round.
func TestAStreamThatWaitsTakesAlongWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, dials := newFleet(t), 0
		i := f.start("ratings", "v1")
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			switch dials++; dials {
			case 1:
				near, far := net.Pipe()
				go leaves(far)
				return near, nil
			case 2:
				return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
			}
			return f.dial(ctx, network, address)
		}
		m, err := mesh.New(t.Context(), mesh.Config{Rules: rules.Static(virtualService(onlyOnce)), Discovery: f.source, DialContext: dial})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close() })
		c := testpb.NewTestServiceClient(f.dialMesh(m, "ratings"))
		s, err := c.FullDuplexCall(t.Context(), grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(message(7)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Recv(); err != nil || len(got.Payload.GetBody()) != 7 {
			t.Errorf("got %v, %v", got, err)
		}
		if n := i.double.calls.Load(); n != 1 || dials != 3 {
			t.Errorf("%d streams, %d connections; want 1 and 3", n, dials)
		}
	})
}

// What a rule does to a call beside sending it, it does once, however often the call
// looks for a connection.
func TestACallThatWaitsIsDelayedAndCopiedOnce(t *testing.T) {
	const rule = onlyOnce + "\n    fault: {delay: {percentage: {value: 100}, fixedDelay: 10s}}\n    mirror: {host: shadow}"
	for face, copies := range map[string]int64{"unary": 1, "stream": 0} { // streams are not mirrored but counted
		t.Run(face, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				shadow, i := f.start("shadow", "v1"), f.start("ratings", "v1")
				i.refuse()
				time.AfterFunc(15*time.Second, i.comeBack)
				m, began := f.mesh(mesh.Config{Rules: rules.Static(virtualService(rule))}), time.Now()
				if err := patient[face](t.Context(), testpb.NewTestServiceClient(f.dialMesh(m, "ratings"))); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if took, n := time.Since(began), shadow.double.calls.Load(); took > 17*time.Second || n != copies {
					t.Errorf("it took %v, with %d copies; want less than 17 s, and %d", took, n, copies)
				}
				if n := m.Status().MirrorDrops; int64(n) != 1-copies {
					t.Errorf("%d copies are counted that were not made", n)
				}
			})
		})
	}
}

// A strange context is none of package context's: whoever derives one from it pays
// with a goroutine, until the derived one ends.
type strange struct {
	context.Context
	done chan struct{}
	over atomic.Bool
}

func (s *strange) Done() <-chan struct{} { return s.done }
func (s *strange) Value(any) any         { return nil }

func (s *strange) Err() error {
	if s.over.Load() {
		return context.Canceled
	}
	return nil
}

func (s *strange) end() {
	s.over.Store(true)
	close(s.done)
}

func TestAStreamThatWaitsForHoursHoldsNoMoreThanAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.start("ratings", "v1").refuse()
		c := f.clientOf(rule(onlyOnce), "ratings")
		ctx, done := &strange{Context: context.Background(), done: make(chan struct{})}, make(chan struct{})
		go func() {
			defer close(done)
			_, _ = c.FullDuplexCall(ctx, grpc.WaitForReady(true)) // until ctx ends
		}()
		held := func() (goroutines int, bytes uint64) {
			synctest.Wait()
			runtime.GC()
			var heap runtime.MemStats
			runtime.ReadMemStats(&heap)
			return runtime.NumGoroutine(), heap.HeapAlloc
		}
		<-time.After(time.Minute)
		first, bytes := held()
		<-time.After(2 * time.Hour)
		if later, more := held(); later > first+100 || more > bytes+300_000 {
			t.Errorf("%d goroutines and %d bytes after a minute, %d and %d after two hours", first, bytes, later, more)
		}
		ctx.end()
		<-done
	})
}
