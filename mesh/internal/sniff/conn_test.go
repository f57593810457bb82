package sniff_test

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/sniff"
)

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

// A socket is what users find in an accepted connection.
type socket interface {
	net.Conn
	io.ReaderFrom
	io.WriterTo
	syscall.Conn
	CloseWrite() error
}

// connect returns the two ends of a sniffed TCP connection; the client has said text.
func connect(t *testing.T, text string) (client *net.TCPConn, server socket) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, inner, sniff.Config{Mode: permissive})
	conn, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn), accept(t, l).(socket)
}

func TestAPlaintextConnectionHalfCloses(t *testing.T) {
	client, server := connect(t, "G")
	if err := server.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the client reads %d, %v", n, err)
	}
	client.Write([]byte("ET"))
	client.CloseWrite()
	if got, err := io.ReadAll(server); string(got) != "GET" || err != nil {
		t.Errorf("the server reads %q, %v", got, err)
	}
}

func TestAPlaintextConnectionCopiesBothWays(t *testing.T) {
	client, server := connect(t, "hello")
	client.CloseWrite()
	var got bytes.Buffer
	if n, err := server.WriteTo(&got); n != 5 || err != nil || got.String() != "hello" {
		t.Errorf("out of it: %d, %v, %q", n, err, got.String())
	}
	if n, err := server.ReadFrom(strings.NewReader("hello back")); n != 10 || err != nil {
		t.Errorf("into it: %d, %v", n, err)
	}
	server.Close()
	if back, err := io.ReadAll(client); string(back) != "hello back" || err != nil {
		t.Errorf("the client reads %q, %v", back, err)
	}
}

func TestWriteToAfterAReadBeginsWhereItEnded(t *testing.T) {
	client, server := connect(t, "ab")
	client.CloseWrite()
	server.Read(make([]byte, 1))
	var got bytes.Buffer
	if _, err := server.WriteTo(&got); err != nil || got.String() != "b" {
		t.Errorf("got %q, %v", got.String(), err)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

func TestWriteToTellsWhyItStopped(t *testing.T) {
	_, server := connect(t, "ab")
	full := errors.New("full")
	if n, err := server.WriteTo(failing{full}); n != 0 || err != full {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestThePlaintextSocketIsAtHand(t *testing.T) {
	_, server := connect(t, "G")
	raw, err := server.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {}); err != nil {
		t.Error(err)
	}
}

func TestWhatTheInnerConnectionLacksIsUnsupported(t *testing.T) {
	m := newMemory()
	l := listen(t, m, sniff.Config{Mode: permissive})
	m.say(t, "G")
	conn := accept(t, l).(socket)
	if err := conn.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseWrite: %v", err)
	}
	if _, err := conn.SyscallConn(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("SyscallConn: %v", err)
	}
}
