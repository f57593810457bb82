package h1_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

// What a reply may end with, beside bytes that are written.
const (
	hangUp = "\x00hang up" // close the connection
	reset  = "\x00reset"   // close it with a TCP RST
	drip   = "\x00drip"    // write it byte by byte
	mute   = "\x00mute"    // say nothing more, ever
	first  = "\x00first"   // do not wait for the request's body
)

// A reply is what the server does with the nth request on the cth connection,
// both from 0.
type reply func(c, n int) string

func always(text string) reply { return func(int, int) string { return text } }

// A scripted server reads whole requests and answers them with raw bytes.
type scripted struct {
	net.Listener
	reply reply
	serve sync.WaitGroup

	mu       sync.Mutex
	conns    []net.Conn
	requests []string // as they came, byte for byte
	over     int      // connections
}

func startScript(t testing.TB, r reply) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{Listener: l, reply: r}
	s.serve.Go(s.accept)
	t.Cleanup(s.stop)
	return s
}

func (s *scripted) stop() {
	_ = s.Close()
	s.mu.Lock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.serve.Wait()
}

func (s *scripted) accept() {
	for {
		c, err := s.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		number := len(s.conns)
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		s.serve.Go(func() { s.converse(c, number) })
	}
}

// converse answers until the connection ends.
func (s *scripted) converse(c net.Conn, number int) {
	defer s.end(c)
	var raw bytes.Buffer
	in := bufio.NewReader(io.TeeReader(c, &raw))
	for n := 0; ; n++ {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		text := s.reply(number, n)
		if text, early := strings.CutSuffix(text, first); early {
			_, _ = io.WriteString(c, text)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		s.note(raw.String())
		raw.Reset()
		if !act(c, text) {
			return
		}
	}
}

func (s *scripted) end(c net.Conn) {
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over++
}

func (s *scripted) ended() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

func (s *scripted) note(request string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, request)
}

func (s *scripted) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

func (s *scripted) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// act does what a reply says, and reports whether the connection goes on.
func act(c net.Conn, text string) bool {
	text, special := ending(text)
	switch special {
	case first: // has been said
	case drip:
		for i := range len(text) {
			_, _ = io.WriteString(c, text[i:i+1])
		}
	default:
		_, _ = io.WriteString(c, text)
	}
	if special == reset {
		_ = c.(*net.TCPConn).SetLinger(0)
	}
	if special == mute {
		_, _ = io.Copy(io.Discard, c)
	}
	return special == "" || special == first || special == drip
}

func ending(text string) (plain, special string) {
	for _, special := range []string{hangUp, reset, drip, mute, first} {
		if plain, ok := strings.CutSuffix(text, special); ok {
			return plain, special
		}
	}
	return text, ""
}

func (s *scripted) url() string { return "http://" + s.Addr().String() }

// rivals are a Pool and the Transport that it is held against, with one setting.
func rivals(t testing.TB, c h1.Config) (*h1.Pool, *http.Transport) {
	t.Helper()
	if c.Dial == nil {
		c.Dial = dialTCP
	}
	pool := h1.New(c)
	transport := &http.Transport{
		DialContext:            func(ctx context.Context, _, host string) (net.Conn, error) { return c.Dial(ctx, host) },
		MaxIdleConnsPerHost:    1024,
		IdleConnTimeout:        c.IdleTimeout,
		DisableCompression:     c.DisableCompression,
		MaxResponseHeaderBytes: c.MaxHeader,
		ResponseHeaderTimeout:  c.HeaderTimeout,
	}
	t.Cleanup(pool.CloseIdle)
	t.Cleanup(transport.CloseIdleConnections)
	return pool, transport
}

// eventually waits for what happens on another goroutine.
func eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for deadline := time.After(time.Minute); !happened(); {
		select {
		case <-deadline:
			t.Fatalf("never: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}
