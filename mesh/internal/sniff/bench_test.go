package sniff_test

import (
	"net"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/sniff"
)

// BenchmarkAccept is a TCP connection from being dialled to its first byte,
// beside the same without a Listener.
func BenchmarkAccept(b *testing.B) {
	b.Run("plain", func(b *testing.B) { connections(b, loopback(b)) })
	for name, mode := range map[string]sniff.Mode{"disable": sniff.Disable, "permissive": sniff.Permissive} {
		b.Run(name, func(b *testing.B) {
			connections(b, listen(b, loopback(b), sniff.Config{Mode: turn(mode).mode}))
		})
	}
}

func loopback(b *testing.B) net.Listener {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { inner.Close() })
	return inner
}

func connections(b *testing.B, l net.Listener) {
	buf := make([]byte, 1)
	b.ReportAllocs()
	for b.Loop() {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		client.Write([]byte("G"))
		server, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		server.Read(buf)
		server.Close()
		client.Close()
	}
}

// BenchmarkRead is what the wrapper costs a connection that has been told.
func BenchmarkRead(b *testing.B) {
	m := newMemory()
	l := listen(b, m, sniff.Config{Mode: permissive})
	m.queue <- endless{}
	conn, buf := accept(b, l), make([]byte, 1)
	b.ReportAllocs()
	for b.Loop() {
		conn.Read(buf)
	}
}

func TestReadingOnCostsNoAllocation(t *testing.T) {
	m := newMemory()
	l := listen(t, m, sniff.Config{Mode: permissive})
	m.queue <- endless{}
	conn, buf := accept(t, l), make([]byte, 1)
	if n := testing.AllocsPerRun(100, func() { conn.Read(buf) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// endless is a connection on which there is always something to read.
type endless struct{ net.Conn }

func (endless) Read(p []byte) (int, error)      { return copy(p, "G"), nil }
func (endless) SetReadDeadline(time.Time) error { return nil }
func (endless) Close() error                    { return nil }
