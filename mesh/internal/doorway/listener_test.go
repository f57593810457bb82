package doorway_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/doorway"
)

// A street is a listener in memory.
type street struct {
	arrivals chan any // net.Conn or error
	closed   chan struct{}
	once     sync.Once
}

func newStreet() *street { return &street{arrivals: make(chan any), closed: make(chan struct{})} }

func (s *street) Accept() (net.Conn, error) {
	select {
	case a := <-s.arrivals:
		if err, ok := a.(error); ok {
			return nil, err
		}
		return a.(net.Conn), nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *street) Close() error   { s.once.Do(func() { close(s.closed) }); return errStreet }
func (s *street) Addr() net.Addr { return &net.TCPAddr{Port: 7} }

var errStreet = errors.New("the inner listener's own")

// arrive connects; false: nobody accepts.
func (s *street) arrive(t *testing.T) (client net.Conn, ok bool) {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	select {
	case s.arrivals <- server:
		return client, true
	case <-time.After(time.Millisecond):
		return client, false
	}
}

// byWord lets in who says y.
func byWord(ctx context.Context, c net.Conn) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	var word [1]byte
	if _, err := io.ReadFull(c, word[:]); err != nil || word[0] != 'y' {
		_ = c.Close()
		return nil, errors.New("no")
	}
	return c, nil
}

func open(t *testing.T, c doorway.Config) (*street, *doorway.Listener) {
	t.Helper()
	s := newStreet()
	l := doorway.Listen(s, c)
	t.Cleanup(func() { _ = l.Close() })
	return s, l
}

func TestWhoIsLetInIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := open(t, doorway.Config{Admit: byWord})
		silent, _ := s.arrive(t)
		no, _ := s.arrive(t)
		yes, _ := s.arrive(t)
		began := time.Now()
		_, _ = no.Write([]byte("n"))
		_, _ = yes.Write([]byte("y"))
		conn, err := l.Accept()
		if err != nil || !time.Now().Equal(began) {
			t.Fatalf("got %v after %v", err, time.Since(began))
		}
		go func() { _, _ = conn.Write([]byte("!")) }()
		if _, err := io.ReadFull(yes, make([]byte, 1)); err != nil {
			t.Errorf("it is not the one: %v", err)
		}
		for name, c := range map[string]net.Conn{"refused": no, "silent": silent} {
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Errorf("%s is still there", name)
			}
		}
		if got := time.Since(began); got != 10*time.Second {
			t.Errorf("the silent one left after %v", got)
		}
		if got := l.Addr().(*net.TCPAddr).Port; got != 7 {
			t.Errorf("port %d", got)
		}
		_ = conn.Close()
	})
}

func TestErrorsAreTheInnerListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := open(t, doorway.Config{Admit: byWord})
		trouble := errors.New("too many files")
		for range 3 {
			s.arrivals <- trouble
			if _, err := l.Accept(); !errors.Is(err, trouble) {
				t.Errorf("got %v", err)
			}
		}
		for range 2 {
			if err := l.Close(); !errors.Is(err, errStreet) {
				t.Errorf("got %v", err)
			}
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

// Who takes his time is closed for others to come in, after a second.
func TestTheSlowestGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := open(t, doorway.Config{Admit: byWord, MaxPending: 2})
		first, _ := s.arrive(t)
		time.Sleep(100 * time.Millisecond)
		second, _ := s.arrive(t)
		began := time.Now()
		third, ok := s.arrive(t) // is taken from the backlog, and waits for a place
		if !ok {
			t.Fatal("not taken")
		}
		if _, ok := s.arrive(t); ok {
			t.Fatal("one more was taken")
		}
		if _, err := first.Read(make([]byte, 1)); err == nil || time.Since(began) != 900*time.Millisecond {
			t.Errorf("the first gave way after %v: %v", time.Since(began), err)
		}
		_, _ = third.Write([]byte("y"))
		_, _ = second.Write([]byte("y"))
		for range 2 {
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
		}
	})
}

// One who comes takes one place, however many have been there for long.
func TestOneGivesWayToOne(t *testing.T) {
	const n = 20
	synctest.Test(t, func(t *testing.T) {
		s, l := open(t, doorway.Config{Admit: byWord, MaxPending: n})
		var there []net.Conn
		for range n {
			c, _ := s.arrive(t)
			there = append(there, c)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		last, _ := s.arrive(t)
		synctest.Wait()
		for _, c := range append(there[1:], last) {
			if _, err := c.Write([]byte("y")); err != nil {
				t.Fatalf("%d gave way: %v", len(there), err)
			}
		}
		for range n {
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
		}
	})
}

// Who has been let in is not closed for anybody: where nobody accepts, new ones wait.
func TestWhoWaitsForAcceptKeepsHisPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := open(t, doorway.Config{Admit: byWord, MaxPending: 1})
		first, _ := s.arrive(t)
		_, _ = first.Write([]byte("y"))
		synctest.Wait()
		second, _ := s.arrive(t)
		time.Sleep(time.Minute)
		for _, c := range []net.Conn{first, second} {
			if c == second {
				_, _ = c.Write([]byte("y"))
			}
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
		}
	})
}

func TestCloseEndsWhatIsNotAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := open(t, doorway.Config{Admit: byWord, MaxPending: 2})
		slow, _ := s.arrive(t)
		ready, _ := s.arrive(t)
		_, _ = ready.Write([]byte("y"))
		waiting, _ := s.arrive(t) // for a place
		synctest.Wait()
		began := time.Now()
		_ = l.Close()
		for i, c := range []net.Conn{slow, ready, waiting} {
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Errorf("%d is still there", i)
			}
		}
		if !time.Now().Equal(began) {
			t.Errorf("it took %v", time.Since(began))
		}
	})
}

// Who has been sent away is not accepted, though whoever looked at him says yes: his
// connection is of no use any more.
func TestWhoGaveWayIsNotAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		decided := make(chan struct{})
		s, l := open(t, doorway.Config{MaxPending: 1, Admit: func(_ context.Context, c net.Conn) (net.Conn, error) {
			<-decided // whatever ctx says
			return c, nil
		}})
		first, _ := s.arrive(t)
		second, _ := s.arrive(t)
		time.Sleep(2 * time.Second) // the first has given way
		close(decided)
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = conn.Write([]byte("!")) }()
		if _, err := io.ReadFull(second, make([]byte, 1)); err != nil {
			t.Errorf("it is not the second: %v", err)
		}
		if _, err := first.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the first is still there: %v", err)
		}
		_ = conn.Close()
	})
}
