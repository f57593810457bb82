package sniff_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/sniff"
)

// FuzzFirstBytes: whatever a client says, it is told apart by its first byte, and
// who serves it reads all of it.
func FuzzFirstBytes(f *testing.F) {
	for _, seed := range []string{"G", "GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16", "\x16\x03\x01\x02\x00\x01", "\x15", "\x80\x2e\x01", "\x00", "\xff\xff"} {
		f.Add([]byte(seed))
	}
	m := newMemory()
	l := listen(f, m, sniff.Config{Mode: permissive})
	f.Fuzz(func(t *testing.T, said []byte) {
		if len(said) == 0 {
			return // nobody is accepted who says nothing
		}
		client, server := net.Pipe()
		m.queue <- server
		defer client.Close()
		go client.Write(said)
		conn := accept(t, l)
		secure, ok := conn.(*tls.Conn)
		if want := said[0] == 22; ok != want {
			t.Fatalf("%q: TLS %v, want %v", said, ok, want)
		}
		if ok {
			conn = secure.NetConn()
		}
		got := make([]byte, len(said))
		if _, err := io.ReadFull(conn, got); !bytes.Equal(got, said) || err != nil {
			t.Fatalf("%q: read %q, %v", said, got, err)
		}
	})
}
