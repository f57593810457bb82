package meshgrpc_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A breaking server answers its first call with an interim answer alone, after
// which it says nothing any more; those that follow it answers with OK.
type breaking struct{ calls atomic.Int64 }

// serve speaks just as much HTTP/2 as that takes.
func (b *breaking) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	if _, err := io.CopyN(io.Discard, in, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	_, _ = c.Write([]byte{0, 0, 0, typeSettings, 0, 0, 0, 0, 0})
	var header [9]byte
	for {
		if _, err := io.ReadFull(in, header[:]); err != nil {
			return
		}
		length := int64(binary.BigEndian.Uint32(header[:]) >> 8)
		if _, err := io.CopyN(io.Discard, in, length); err != nil {
			return
		}
		if header[3] == typeHeaders {
			b.answer(c, header[5:])
		}
	}
}

const (
	typeHeaders  = 1
	typeSettings = 4
)

func (b *breaking) answer(c net.Conn, stream []byte) {
	if b.calls.Add(1) == 1 {
		writeHeaders(c, stream, 4, "\x08\x03103")
		_ = c.(*net.TCPConn).CloseWrite()
		return
	}
	writeHeaders(c, stream, 4|1, "\x88\x00\x0ccontent-type\x10application/grpc\x00\x0bgrpc-status\x010")
}

func writeHeaders(c net.Conn, stream []byte, flags byte, block string) {
	frame := append([]byte{0, 0, byte(len(block)), typeHeaders, flags}, stream...)
	_, _ = c.Write(append(frame, block...))
}

// listen serves until the test ends.
func (b *breaking) listen(t *testing.T) (address string) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = lis.Close()
		serving.Wait()
	})
	return lis.Addr().String()
}

// Of a stream that ends before its headers nothing has been handed to its caller,
// whatever has come in: it may be sent again.
func TestAStreamWhoseConnectionBreaksBeforeItsHeadersIsRetried(t *testing.T) {
	b := new(breaking)
	source, err := discovery.NewStatic(map[string][]discovery.Endpoint{"ratings": discovery.Addresses(b.listen(t))})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mesh.New(context.Background(), mesh.Config{Discovery: source, Rules: rules.Static(virtualService(
		"\n  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 3, retryOn: reset, backoff: 1ms}"))})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	conn, err := meshgrpc.NewClient(m, "mesh:///ratings")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := testpb.NewTestServiceClient(conn).FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != io.EOF || b.calls.Load() != 2 {
		t.Errorf("%v after %d tries, want EOF after 2", err, b.calls.Load())
	}
}

// The connection breaks while the head of a stream waits to be written: nothing of
// it has been sent, so that no rule is needed to send it again.
func TestAStreamThatWasNeverSentIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1")
		c := f.client("ratings", "")
		first, err := c.FullDuplexCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := echo(first, 1); err != nil {
			t.Fatal(err)
		}
		release := i.clog()
		if err := first.Send(message(1)); err != nil { // which keeps the writer busy
			t.Fatal(err)
		}
		synctest.Wait()
		second := make(chan error)
		go func() {
			s, err := c.FullDuplexCall(t.Context())
			if err == nil {
				err = echo(s, 1)
			}
			second <- err
		}()
		synctest.Wait()
		i.cut()
		synctest.Wait()
		release()
		if err := <-second; err != nil {
			t.Errorf("the second stream: %v", err)
		}
		if got := i.double.calls.Load(); got != 2 {
			t.Errorf("%d streams reached the handler, want 2", got)
		}
	})
}
