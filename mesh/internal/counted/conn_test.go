package counted_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"github.com/inmesh-go/inmesh/mesh/internal/counted"
)

// pair is both ends of a TCP connection over loopback.
func pair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	if a, err = net.Dial("tcp", lis.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = lis.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

// A counted connection is a net.Conn to the letter, over TCP and in memory, with
// limits and without.
func TestItIsANetConn(t *testing.T) {
	for name, config := range map[string]counted.Config{"plain": {Unwatched: true}, "limited": {Idle: time.Hour, Age: time.Hour}} {
		for kind, make := range map[string]func(testing.TB) (net.Conn, net.Conn){
			"tcp": pair, "pipe": func(testing.TB) (net.Conn, net.Conn) { return net.Pipe() },
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
					a, b := make(t)
					c1, c2 = counted.New(a, config).Start(), counted.New(b, config).Start()
					return c1, c2, func() { _, _ = c1.Close(), c2.Close() }, nil
				})
			})
		}
	}
}

// Whichever way bytes go, they are counted, and arrive as they were sent.
func TestEveryByteIsCounted(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789"), 100_000)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, send := range map[string]func(c net.Conn) (int64, error){
		"write":          func(c net.Conn) (int64, error) { n, err := c.Write(text); return int64(n), err },
		"read from":      func(c net.Conn) (int64, error) { return io.Copy(c, struct{ io.Reader }{bytes.NewReader(text)}) },
		"a file":         func(c net.Conn) (int64, error) { return copyFile(c, path, 1<<40) },
		"part of a file": func(c net.Conn) (int64, error) { return copyFile(c, path, 300_001) },
	} {
		for _, unwatched := range []bool{false, true} {
			a, b := pair(t)
			from, to := counted.New(a, counted.Config{Unwatched: unwatched}), counted.New(b, counted.Config{Unwatched: unwatched})
			type result struct {
				n   int64
				err error
			}
			done := make(chan result, 1)
			out, in := from.Start(), to.Start()
			go func() {
				n, err := send(out)
				done <- result{n, errors.Join(err, out.(interface{ CloseWrite() error }).CloseWrite())}
			}()
			var got bytes.Buffer
			if _, err := io.Copy(&got, in); err != nil {
				t.Fatal(err)
			}
			r := <-done
			_, written := from.Traffic()
			read, _ := to.Traffic()
			if r.err != nil || written != r.n || read != r.n || int64(got.Len()) != r.n || !bytes.HasPrefix(text, got.Bytes()) {
				t.Errorf("%s, unwatched %t: sent %d (%v), written %d, read %d, got %d", name, unwatched, r.n, r.err, written, read, got.Len())
			}
		}
	}
}

func copyFile(c net.Conn, path string, limit int64) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	return io.Copy(c, io.LimitReader(f, limit))
}

// A pipe is an *os.File, too, of which nobody knows when it says something: what it
// says is counted then, and other Writes do not wait for it.
func TestAPipeIsNoFile(t *testing.T) {
	a, b := pair(t)
	c := counted.New(a, counted.Config{Idle: time.Hour})
	conn := c.Start()
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(conn, io.LimitReader(from, 1<<40))
		copied <- err
	}()
	for i, say := range []io.Writer{to, conn, to} {
		if _, err := io.WriteString(say, "hello"); err != nil {
			t.Fatal(err)
		}
		_ = b.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.ReadFull(b, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(30 * time.Second); ; runtime.Gosched() {
			if _, n := c.Traffic(); n == int64(5*(i+1)) {
				break
			} else if time.Now().After(until) {
				t.Fatalf("%d bytes are counted of %d", n, 5*(i+1))
			}
		}
	}
	_ = to.Close()
	if err := <-copied; err != nil {
		t.Error(err)
	}
	_, _ = from.Close(), conn.Close()
}

// What a connection can do beside a net.Conn's methods is what it could before.
func TestItCanDoWhatItCould(t *testing.T) {
	over, _ := pair(t)
	memory, other := net.Pipe()
	defer func() { _, _ = memory.Close(), other.Close() }()
	for _, c := range []struct {
		name         string
		inner        net.Conn
		half, socket bool
	}{{"tcp", over, true, true}, {"pipe", memory, false, false}, {"half", half{over}, true, false}} {
		conn := counted.New(c.inner, counted.Config{}).Start()
		_, canHalf := conn.(interface{ CloseWrite() error })
		_, hasSocket := conn.(syscall.Conn)
		if canHalf != c.half || hasSocket != c.socket {
			t.Errorf("%s: half-closes: %t, a socket: %t", c.name, canHalf, hasSocket)
		}
	}
}

type half struct{ net.Conn }

func (half) CloseWrite() error { return nil }

func TestItIsClosedOnce(t *testing.T) {
	a, _ := pair(t)
	var told atomic.Int32
	conn := counted.New(a, counted.Config{Closed: func() { told.Add(1) }}).Start()
	for range 3 {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// The bytes that a Read brings after the end are told of.
func TestWhatComesLateIsToldOf(t *testing.T) {
	var late atomic.Int32
	inner := &stubborn{goOn: make(chan struct{})}
	c := counted.New(inner, counted.Config{Late: func() { late.Add(1) }})
	conn, done := c.Start(), make(chan struct{})
	go func() {
		defer close(done)
		_, _ = conn.Read(make([]byte, 7))
	}()
	_ = conn.Close()
	close(inner.goOn)
	<-done
	if read, _ := c.Traffic(); read != 7 || late.Load() != 1 {
		t.Errorf("%d bytes, told %d times", read, late.Load())
	}
}

// stubborn reads on after it was closed.
type stubborn struct {
	net.Conn
	goOn chan struct{}
}

func (s *stubborn) Read(p []byte) (int, error) { <-s.goOn; return len(p), nil }
func (s *stubborn) Close() error               { return nil }

func TestLimitsEndIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		config counted.Config
		after  time.Duration
		says   string
		aged   bool
	}{
		{"idle", counted.Config{Idle: 10 * time.Second}, 19 * time.Second, "idle for 10s", false}, // 9 s after its last byte
		{"age", counted.Config{Age: 15 * time.Second}, 15 * time.Second, "lasted for 15s", true},
		{"both", counted.Config{Idle: 10 * time.Second, Age: time.Minute}, 19 * time.Second, "idle for 10s", false},
		{"shorter", counted.Config{Idle: time.Second, Age: time.Minute}, time.Second, "idle for 1s", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			defer func() { _ = b.Close() }()
			conn := counted.New(a, c.config)
			face, began := conn.Start(), time.Now()
			time.AfterFunc(9*time.Second, func() { _, _ = b.Write([]byte{1}) })
			_, err := io.Copy(io.Discard, face)
			if time.Since(began) != c.after || !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), c.says) || conn.Aged() != c.aged {
				t.Errorf("%s: ended after %v with %v", c.name, time.Since(began), err)
			}
			_ = face.Close()
			time.Sleep(time.Hour) // nothing is left that fires
		})
	}
}

// A Write that makes its way slowly is not idle.
func TestASlowWriteIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		conn := counted.New(a, counted.Config{Idle: 10 * time.Second}).Start()
		go func() {
			defer func() { _ = b.Close() }()
			for range 5 {
				time.Sleep(9 * time.Second)
				if _, err := io.CopyN(io.Discard, b, 128<<10); err != nil {
					t.Error(err)
					return
				}
			}
		}()
		if n, err := conn.Write(make([]byte, 5*128<<10)); err != nil {
			t.Errorf("after %d bytes: %v", n, err)
		}
		_ = conn.Close()
	})
}

func TestReadingAndWritingAllocateNothing(t *testing.T) {
	a, b := pair(t)
	conn, p := counted.New(a, counted.Config{Idle: time.Hour}).Start(), make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = conn.Write(p)
		_, _ = io.ReadFull(b, p)
		_, _ = b.Write(p)
		_, _ = io.ReadFull(conn, p)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
