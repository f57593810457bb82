package sniff_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/inmesh-go/inmesh/mesh/internal/sniff"
)

func TestErrorsOfTheInnerListenerArePassedOn(t *testing.T) {
	trouble := errors.New("too many open files")
	for _, mode := range []sniff.Mode{sniff.Strict, sniff.Permissive, sniff.Disable} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			l := listen(t, m, sniff.Config{Mode: turn(mode).mode})
			for range 3 {
				m.queue <- trouble
				if _, err := l.Accept(); err != trouble {
					t.Fatalf("mode %d: got %v", mode, err)
				}
				m.say(t, "\x16") // and on it goes
				accept(t, l)
			}
		})
	}
}

func TestAnInnerListenerThatWasClosedIsAskedOnlyOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := listen(t, m, sniff.Config{Mode: permissive})
		m.say(t, "x")
		accept(t, l)
		m.Close()
		synctest.Wait() // returns: nobody spins
		for range 3 {
			if _, err := l.Accept(); err != net.ErrClosed {
				t.Errorf("got %v, want the inner listener's error", err)
			}
		}
	})
}

func TestCloseEndsEverythingThatWasNotAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := listen(t, m, sniff.Config{Mode: permissive, MaxPending: 3})
		m.say(t, "x")
		accepted := accept(t, l)
		clients := []net.Conn{m.dial(t), m.say(t, "y"), m.say(t, "z"), m.say(t, "w"), m.say(t, "v")}
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		for i, client := range clients[:4] { // the last one never left the inner listener
			if _, err := client.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("client %d reads: %v, want EOF", i, err)
			}
		}
		if _, err := accepted.Read(make([]byte, 1)); err != nil {
			t.Errorf("the accepted connection reads: %v; want its byte", err)
		}
		if n := l.Stats().Pending; n != 0 {
			t.Errorf("%d are pending after Close", n)
		}
	})
}

func TestCloseWakesAccept(t *testing.T) {
	for _, mode := range []sniff.Mode{sniff.Strict, sniff.Permissive} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			l := listen(t, m, sniff.Config{Mode: turn(mode).mode})
			m.say(t, "x")
			accept(t, l)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
						t.Errorf("mode %d: Accept returns %v", mode, err)
					}
				})
			}
			synctest.Wait()
			l.Close()
			wg.Wait()
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("mode %d: Accept after Close returns %v", mode, err)
			}
		})
	}
}

// A stubborn listener accepts a connection while it is closed.
type stubborn struct {
	*memory
	last net.Conn
}

func (s *stubborn) Accept() (net.Conn, error) {
	conn, err := s.memory.Accept()
	if err != nil && s.last != nil {
		conn, err, s.last = s.last, nil, nil
	}
	return conn, err
}

func TestWhatIsAcceptedWhileClosingIsClosed(t *testing.T) {
	for _, earlier := range []int{0, 1} { // whether the goroutine accepts, or Accept
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			m := &stubborn{memory: newMemory(), last: server}
			l := listen(t, m, sniff.Config{Mode: permissive})
			for range earlier {
				m.say(t, "x")
				accept(t, l)
			}
			go l.Accept()
			synctest.Wait()
			l.Close()
			if _, err := client.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("after %d earlier ones the client reads: %v, want EOF", earlier, err)
			}
		})
	}
}

func TestCloseReturnsTheSameEachTime(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, inner, sniff.Config{})
	inner.Close()
	first := l.Close()
	if second := l.Close(); !errors.Is(first, net.ErrClosed) || first != second {
		t.Errorf("got %v, then %v", first, second)
	}
}

func TestListenNamesWhatIsOutOfBounds(t *testing.T) {
	_, err := sniff.Listen(newMemory(), sniff.Config{Timeout: -1, MaxPending: -2})
	want := "sniff: TLS: nil, want the server's configuration\nsniff: Timeout: -1ns is below 0\nsniff: MaxPending: -2 is below 0"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAddrIsTheInnerListeners(t *testing.T) {
	m := newMemory()
	if got := listen(t, m, sniff.Config{}).Addr().String(); got != m.Addr().String() {
		t.Errorf("got %s", got)
	}
}
