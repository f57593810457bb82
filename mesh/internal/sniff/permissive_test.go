package sniff_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/sniff"
)

func TestTheFirstByteTells(t *testing.T) {
	for text, want := range map[string]bool{
		"GET / HTTP/1.1\r\n\r\n": false,
		"PRI * HTTP/2.0\r\n":     false,
		"\x00":                   false,
		"\x15\x03\x03":           false, // an alert begins no connection
		"\x16":                   true,
		"\x16\x03\x01\x00":       true,
		"\x16GET":                true,
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			l := listen(t, m, sniff.Config{Mode: permissive})
			m.say(t, text)
			if got := isTLS(accept(t, l)); got != want {
				t.Errorf("%q: TLS %v, want %v", text, got, want)
			}
		})
	}
}

func TestNoByteIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := listen(t, m, sniff.Config{Mode: permissive})
		client := m.dial(t)
		go func() {
			client.Write([]byte("h"))
			client.Write([]byte("ello"))
			client.Close()
		}()
		conn := accept(t, l)
		if n, err := conn.Read(nil); n != 0 || err != nil {
			t.Errorf("an empty read: %d, %v", n, err)
		}
		if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestASilentClientIsClosedWhenTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := listen(t, m, sniff.Config{Mode: permissive})
		go l.Accept()
		client, begin := m.dial(t), time.Now()
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the client reads: %v, want EOF", err)
		}
		if waited := time.Since(begin); waited != 15*time.Second {
			t.Errorf("closed after %v, want 15 s", waited)
		}
		synctest.Wait()
		if got, want := l.Stats(), (sniff.Stats{TimedOut: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestASlowClientIsServedAndHasNoDeadlineLeft(t *testing.T) {
	for _, first := range []string{"G", "\x16"} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			l := listen(t, m, sniff.Config{Mode: permissive, Timeout: time.Second})
			client := m.dial(t)
			go func() {
				time.Sleep(time.Second - 1)
				client.Write([]byte(first))
				time.Sleep(time.Hour)
				client.Write([]byte("rest"))
				client.Close()
			}()
			conn := accept(t, l)
			if secure, ok := conn.(*tls.Conn); ok {
				conn = secure.NetConn()
			}
			if got, err := io.ReadAll(conn); string(got) != first+"rest" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestAClientThatLeavesIsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := listen(t, m, sniff.Config{Mode: permissive})
		m.dial(t).Close()
		m.say(t, "x")
		accept(t, l)
		synctest.Wait()
		if got, want := l.Stats(), (sniff.Stats{}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// grace is how long a client may be silent however many others there are.
const grace = 10 * time.Millisecond

// hold connects n clients that say nothing.
func (m *memory) hold(t *testing.T, n int) []net.Conn {
	all := make([]net.Conn, n)
	for i := range all {
		all[i] = m.dial(t)
	}
	return all
}

func TestTenThousandSilentClientsHoldUpNobody(t *testing.T) {
	for most, bound := range map[int]time.Duration{
		20_000: 0,
		4096:   20 * time.Millisecond, // 10 ms for each 4096
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			l := listen(t, m, sniff.Config{Mode: permissive, MaxPending: most})
			begin := time.Now()
			m.hold(t, 10_000)
			for range 100 {
				m.say(t, "G")
				accept(t, l)
			}
			if waited := time.Since(begin); waited > bound {
				t.Errorf("at most %d pending: the good ones waited for %v, want %v at most", most, waited, bound)
			}
			synctest.Wait()
			if n := l.Stats().Pending; n > most {
				t.Errorf("%d are pending, want %d at most", n, most)
			}
		})
	}
}

func TestAtTheBoundTheLongestSilentIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := listen(t, m, sniff.Config{Mode: permissive, MaxPending: 3})
		go l.Accept()
		first := m.hold(t, 1)
		time.Sleep(time.Millisecond)
		clients := append(first, m.hold(t, 3)...)
		time.Sleep(grace - time.Millisecond - 1)
		if got, want := l.Stats(), (sniff.Stats{Pending: 3}); got != want {
			t.Errorf("in the grace of the first: got %+v, want %+v", got, want)
		}
		time.Sleep(time.Nanosecond)
		for i, client := range clients {
			synctest.Wait()
			client.SetReadDeadline(time.Now())
			if _, err := client.Read(make([]byte, 1)); (err == io.EOF) != (i == 0) {
				t.Errorf("client %d reads: %v; want the first one closed", i, err)
			}
		}
		if got, want := l.Stats(), (sniff.Stats{Pending: 3, Crowded: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestASilentClientThatSpeaksInItsGraceIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := listen(t, m, sniff.Config{Mode: permissive, MaxPending: 2})
		clients := m.hold(t, 3) // the third waits for a place
		for _, client := range clients {
			go func() {
				time.Sleep(grace - 1)
				client.Write([]byte("G"))
			}()
		}
		for range clients {
			accept(t, l)
		}
		synctest.Wait()
		if got, want := l.Stats(), (sniff.Stats{}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestWhoHasSpokenIsNotClosedForNewcomers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := listen(t, m, sniff.Config{Mode: permissive, MaxPending: 3})
		for range 7 {
			m.say(t, "G")
		}
		accept(t, l)
		synctest.Wait()
		if waiting := len(m.queue); waiting != 2 { // 1 accepted, 3 pending, 1 about to be
			t.Errorf("%d wait with the inner listener, want 2", waiting)
		}
		for range 6 {
			accept(t, l)
		}
		synctest.Wait()
		if got, want := l.Stats(), (sniff.Stats{}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// Who is silent may be waiting for the server to speak: at the end of the wait he is
// taken for plaintext, and nothing of what he says later is lost.
func TestASilentClientMayBeSpokenTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		mode := turn(sniff.Permissive)
		l := listen(t, m, sniff.Config{Mode: mode.mode, Timeout: time.Second, ServerFirst: true})
		client, began := m.dial(t), time.Now()
		server := accept(t, l)
		if isTLS(server) || time.Since(began) != time.Second {
			t.Errorf("TLS %v, after %v", isTLS(server), time.Since(began))
		}
		go func() { _, _ = client.Write([]byte("\x16EHLO")) }()
		time.Sleep(time.Minute) // nothing is left of the wait's deadline
		got := make([]byte, 5)
		if _, err := io.ReadFull(server, got); err != nil || string(got) != "\x16EHLO" {
			t.Errorf("got %q %v", got, err)
		}
		if s := l.Stats(); s.TimedOut != 0 || s.Pending != 0 {
			t.Errorf("got %+v", s)
		}
		m.dial(t)
		synctest.Wait()
		mode.to(sniff.Strict) // the mode of the end of the wait counts
		if !isTLS(accept(t, l)) {
			t.Error("silence was taken for plaintext at a port that takes none")
		}
	})
}

// Protocols that are not HTTP may begin with any byte, a length for example: only
// what goes on like a record of TLS is one, in however many pieces it comes.
func TestOtherProtocolsMayBeginLikeTLS(t *testing.T) {
	for _, c := range []struct {
		pieces []string
		secure bool
	}{
		{[]string{"\x16\x03\x01\x02\x00"}, true},
		{[]string{"\x16", "\x03", "\x03", "\x02"}, true},
		{[]string{"\x16\x01\x00\x00hello"}, false}, // of 278 bytes, in little endian
		{[]string{"\x16\x03\x00\x00hello"}, false}, // of 790
		{[]string{"\x16", "\x00\x00", "hello"}, false},
		{[]string{"\x16\x03"}, false}, // and no more
		{[]string{"\x16"}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			l := listen(t, m, sniff.Config{Mode: permissive, Timeout: time.Second, ServerFirst: true})
			client := m.dial(t)
			go func() {
				for _, p := range c.pieces {
					time.Sleep(300 * time.Millisecond)
					_, _ = client.Write([]byte(p))
				}
				time.Sleep(time.Hour)
				_ = client.Close()
			}()
			conn := accept(t, l)
			if isTLS(conn) != c.secure {
				t.Fatalf("%q: TLS %v, want %v", c.pieces, isTLS(conn), c.secure)
			}
			if secure, ok := conn.(*tls.Conn); ok {
				conn = secure.NetConn()
			}
			got, small := "", make([]byte, 2)
			for {
				n, err := conn.Read(small)
				if got += string(small[:n]); err != nil {
					break
				}
			}
			if want := strings.Join(c.pieces, ""); got != want {
				t.Errorf("read %q of %q", got, want)
			}
		})
	}
}

func TestAClientMaySayOneByteAndNoMore(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, inner, sniff.Config{Mode: permissive, Timeout: time.Minute, ServerFirst: true})
	client, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write([]byte("\x16")); err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
	conn := accept(t, l)
	if got, err := io.ReadAll(conn); isTLS(conn) || string(got) != "\x16" || err != nil {
		t.Errorf("got %q %v", got, err)
	}
	_ = conn.Close()
}
