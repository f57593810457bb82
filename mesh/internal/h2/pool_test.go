package h2_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/internal/h2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A stage is a pool, and what stands at the other end of its connections.
type stage struct {
	*h2.Pool
	dials, open atomic.Int64
	slow        time.Duration // which a dial is
}

// play sets up a stage in paused time whose connections lead to serve.
func play(t *testing.T, c h2.Config, serve func(net.Conn), f func(t *testing.T, s *stage)) {
	t.Helper()
	playOver(t, &http.Transport{}, c, serve, f)
}

func playOver(t *testing.T, transport *http.Transport, c h2.Config, serve func(net.Conn), f func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{}
		c.Dial = func(_ context.Context, _ string, ended func()) (net.Conn, error) {
			time.Sleep(s.slow)
			s.dials.Add(1)
			s.open.Add(1)
			near, far := net.Pipe()
			go serve(roomy(far))
			return &cable{Conn: roomy(near), ended: func() { s.open.Add(-1); ended() }}, nil
		}
		s.Pool = h2.New(transport, c)
		f(t, s)
		synctest.Wait() // or net/http has not yet let go of the last request
		s.CloseIdle()
		synctest.Wait()
		time.Sleep(time.Second) // after which net/http has let go of what it keeps for a while
		if n := s.open.Load(); n != 0 {
			t.Errorf("%d connections stand", n)
		}
	})
}

// A cable tells of its end, once.
type cable struct {
	net.Conn
	once  sync.Once
	ended func()
}

func (c *cable) Close() error {
	c.once.Do(c.ended)
	return c.Conn.Close()
}

// roomy is a pipe that can be written to while nobody reads.
func roomy(c net.Conn) net.Conn {
	r := &room{Conn: c, out: make(chan []byte, 1000), left: make(chan struct{})}
	go func() {
		for {
			select {
			case b := <-r.out:
				if _, err := c.Write(b); err != nil {
					return
				}
			case <-r.left:
				for len(r.out) > 0 {
					_, _ = c.Write(<-r.out)
				}
				_ = c.Close()
				return
			}
		}
	}()
	return r
}

type room struct {
	net.Conn
	out  chan []byte
	left chan struct{}
	once sync.Once
}

func (r *room) Write(b []byte) (int, error) {
	select {
	case r.out <- append([]byte(nil), b...):
		return len(b), nil
	case <-r.left:
		return 0, net.ErrClosed
	}
}

func (r *room) Close() error {
	r.once.Do(func() { close(r.left) })
	return nil
}

func (r *room) SetWriteDeadline(time.Time) error { return nil }

// after serves HTTP/2, and answers after a time.
func after(d time.Duration) func(net.Conn) { return afterOn(d, func(*http.Server) {}) }

// afterOn shows the server of each connection.
func afterOn(d time.Duration, shown func(*http.Server)) func(net.Conn) {
	return func(c net.Conn) {
		server := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(d)
			_, _ = io.Copy(w, r.Body)
		})}
		server.Protocols.SetUnencryptedHTTP2(true)
		shown(server)
		_ = server.Serve(&only{c: c})
	}
}

// only accepts one connection.
type only struct {
	c    net.Conn
	once bool
}

func (o *only) Accept() (net.Conn, error) {
	if o.once {
		return nil, net.ErrClosed
	}
	o.once = true
	return o.c, nil
}
func (o *only) Close() error   { return nil }
func (o *only) Addr() net.Addr { return &net.TCPAddr{} }

// frames serves HTTP/2 by hand: answer gets each stream that begins, its number on the
// connection, and what writes a frame; it reports whether the connection goes on.
func frames(answer func(stream uint32, write func(kind, flags byte, stream uint32, payload ...byte)) bool) func(net.Conn) {
	return func(c net.Conn) {
		defer func() { _ = c.Close() }()
		write := func(kind, flags byte, stream uint32, payload ...byte) {
			head := []byte{0, 0, byte(len(payload)), kind, flags}
			_, _ = c.Write(append(binary.BigEndian.AppendUint32(head, stream), payload...))
		}
		write(settings, 0, 0)
		_, err := io.CopyN(io.Discard, c, 24)
		for err == nil {
			var head [9]byte
			if _, err = io.ReadFull(c, head[:]); err == nil {
				_, err = io.CopyN(io.Discard, c, int64(head[0])<<16|int64(head[1])<<8|int64(head[2]))
			}
			if err == nil && head[3] == headers && !answer(binary.BigEndian.Uint32(head[5:]), write) {
				return
			}
		}
	}
}

// Frames of HTTP/2 (RFC 9113 §6).
const headers, reset, settings, goAway = 1, 3, 4, 7

func says200(stream uint32, write func(kind, flags byte, stream uint32, payload ...byte)) bool {
	write(headers, 1|4, stream, 0x88) // END_STREAM, END_HEADERS, ":status: 200"
	return true
}

func (s *stage) get(ctx context.Context) error { return s.send(ctx, "GET", "") }

func (s *stage) send(ctx context.Context, method, body string) error {
	r, err := http.NewRequestWithContext(ctx, method, "http://there:80/", nil)
	if err != nil {
		return err
	}
	if body != "" {
		r.Body = io.NopCloser(strings.NewReader(body))
	}
	resp, done, err := s.Send(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if done != nil {
		done()
	}
	return err
}

// crowd sends n requests at once.
func (s *stage) crowd(t *testing.T, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if err := s.send(t.Context(), "POST", "some text"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func (s *stage) want(t *testing.T, dials, open int64) {
	t.Helper()
	synctest.Wait()
	if d, o := s.dials.Load(), s.open.Load(); d != dials || o != open {
		t.Errorf("%d connections were made and %d stand, want %d and %d", d, o, dials, open)
	}
}

func TestManyRequestsShareAConnection(t *testing.T) {
	play(t, h2.Config{}, after(time.Second), func(t *testing.T, s *stage) {
		s.crowd(t, 90)
		s.crowd(t, 90)
		s.want(t, 1, 1)
	})
}

func TestNoMoreAreMadeThanLimitsAskFor(t *testing.T) {
	for _, c := range []struct {
		limits                  h2.Config
		dials, open, more, then int64
	}{
		{h2.Config{MaxStreams: 10}, 5, 5, 5, 5},
		{h2.Config{MaxStreams: 1}, 50, 50, 50, 50},
		{h2.Config{MaxRequests: 10}, 5, 0, 10, 0},
		{h2.Config{MaxRequests: 1}, 50, 0, 100, 0},
		{h2.Config{MaxRequests: 20}, 3, 1, 5, 0},
	} {
		play(t, c.limits, after(time.Second), func(t *testing.T, s *stage) {
			s.crowd(t, 50)
			s.want(t, c.dials, c.open)
			s.crowd(t, 50)
			s.want(t, c.more, c.then)
		})
	}
}

func TestAServersOwnLimitMakesAnotherConnection(t *testing.T) {
	play(t, h2.Config{}, after(time.Second), func(t *testing.T, s *stage) {
		if err := s.get(t.Context()); err != nil { // and its server's limit, of 250, is known
			t.Fatal(err)
		}
		s.crowd(t, 400)
		synctest.Wait()
		if d := s.dials.Load(); d < 2 || d > 3 { // a new one has 100 places until its server has said how many
			t.Errorf("%d connections", d)
		}
	})
}

func TestAConnectionOfAgeTakesOneRequestMore(t *testing.T) {
	play(t, h2.Config{MaxAge: time.Minute}, after(0), func(t *testing.T, s *stage) {
		for range 3 {
			s.crowd(t, 1)
		}
		s.want(t, 1, 1)
		time.Sleep(time.Minute)
		s.crowd(t, 1)
		s.want(t, 1, 0)
		s.crowd(t, 1)
		s.want(t, 2, 1)
	})
}

// https://go.dev/issue/52459: net/http would connect without end.
func TestAServerThatGoesAwayAtOnceIsAskedTwice(t *testing.T) {
	leaves := frames(func(_ uint32, write func(kind, flags byte, stream uint32, payload ...byte)) bool {
		write(goAway, 0, 0, make([]byte, 8)...)
		return false
	})
	play(t, h2.Config{}, leaves, func(t *testing.T, s *stage) {
		if err := s.get(t.Context()); !errors.Is(err, h2.ErrUnprocessed) {
			t.Errorf("got %v", err)
		}
		s.want(t, 2, 0)
		if err := s.send(t.Context(), "POST", "once only"); !errors.Is(err, h2.ErrUnprocessed) {
			t.Errorf("with a body: got %v", err)
		}
		s.want(t, 3, 0)
	})
}

func TestAServerThatHangsUpAtOnceIsAskedTwice(t *testing.T) {
	play(t, h2.Config{}, func(c net.Conn) { _ = c.Close() }, func(t *testing.T, s *stage) {
		for i := range int64(3) {
			began := time.Now()
			if err := s.get(t.Context()); err == nil {
				t.Error("no error")
			}
			synctest.Wait()
			if d := s.dials.Load(); d > 4*(i+1) || time.Since(began) > 0 {
				t.Errorf("%d connections, after %v", d, time.Since(began))
			}
		}
	})
}

func TestARequestThatItsServerDidNotSeeIsSentOnceMore(t *testing.T) {
	var n atomic.Int64
	moves := frames(func(stream uint32, write func(kind, flags byte, stream uint32, payload ...byte)) bool {
		if n.Add(1) == 3 {
			write(goAway, 0, 0, 0, 0, 0, byte(stream-2), 0, 0, 0, 0)
			return true
		}
		return says200(stream, write)
	})
	play(t, h2.Config{}, moves, func(t *testing.T, s *stage) {
		for range 5 {
			if err := s.get(t.Context()); err != nil {
				t.Error(err)
			}
		}
		s.want(t, 2, 1)
	})
}

func TestARefusedStreamIsTheCallersToSendAgain(t *testing.T) {
	for code, want := range map[byte]string{7: "REFUSED_STREAM", 1: "PROTOCOL_ERROR"} {
		refuses := frames(func(stream uint32, write func(kind, flags byte, stream uint32, payload ...byte)) bool {
			write(reset, 0, stream, 0, 0, 0, code)
			return true
		})
		play(t, h2.Config{}, refuses, func(t *testing.T, s *stage) {
			began := time.Now()
			err := s.get(t.Context())
			if err == nil || errors.Is(err, h2.ErrUnprocessed) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
			if waited := time.Since(began); waited > 0 {
				t.Errorf("it was sent again for %v", waited)
			}
			if d := s.dials.Load(); d != 1 {
				t.Errorf("%d connections", d)
			}
		})
	}
}

func TestWhoLeavesDoesNotWait(t *testing.T) {
	play(t, h2.Config{}, after(time.Hour), func(t *testing.T, s *stage) {
		why := errors.New("why")
		ctx, leave := context.WithCancelCause(t.Context())
		leave(why)
		if err := s.get(ctx); !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
		s.want(t, 1, 1) // for whoever comes next
	})
}

// In the moment in which it stands, too: the places that were theirs are free.
func TestWhoLeavesTakesNoPlaceAlong(t *testing.T) {
	for _, limits := range []h2.Config{{}, {MaxStreams: 1}, {MaxStreams: 2}, {MaxRequests: 1}, {MaxRequests: 3}} {
		play(t, limits, after(0), func(t *testing.T, s *stage) {
			s.slow = time.Second
			for range 20 {
				var wg sync.WaitGroup
				for i := range 9 {
					wg.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), time.Second/2+time.Duration(i)*time.Second/8)
						defer cancel()
						if err := s.get(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("%+v: %v", limits, err)
						}
					})
				}
				wg.Wait()
				s.crowd(t, 3)
				s.CloseIdle()
			}
		})
	}
}

func TestOnlySoManyWait(t *testing.T) {
	full := errors.New("full")
	var waiting, refused atomic.Int64
	wait := func() (func(), error) {
		if waiting.Add(1) > 3 {
			waiting.Add(-1)
			return nil, full
		}
		return func() { waiting.Add(-1) }, nil
	}
	play(t, h2.Config{Wait: wait}, after(time.Second), func(t *testing.T, s *stage) {
		s.slow = time.Second
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if err := s.get(t.Context()); errors.Is(err, full) {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if refused.Load() != 2 || waiting.Load() != 0 {
			t.Errorf("%d of five were refused and %d still wait, want 2 and none", refused.Load(), waiting.Load())
		}
		s.crowd(t, 10) // who need not wait are not counted
	})
}

func TestADialThatFailsFailsAllWhoWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("down")
		var dials atomic.Int64
		s := &stage{Pool: h2.New(&http.Transport{}, h2.Config{Dial: func(context.Context, string, func()) (net.Conn, error) {
			dials.Add(1)
			time.Sleep(time.Second)
			return nil, down
		}})}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := s.get(t.Context()); !errors.Is(err, down) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if n := dials.Load(); n != 1 {
			t.Errorf("%d dials for ten who waited", n)
		}
	})
}

func TestWhoTracesHearsOfConnections(t *testing.T) {
	play(t, h2.Config{}, after(0), func(t *testing.T, s *stage) {
		for _, reused := range []bool{false, true} {
			var asked string
			var got httptrace.GotConnInfo
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				GetConn: func(hostPort string) { asked = hostPort },
				GotConn: func(i httptrace.GotConnInfo) { got = i },
			})
			if err := s.get(ctx); err != nil {
				t.Error(err)
			}
			if asked != "there:80" || got.Conn == nil || got.Reused != reused {
				t.Errorf("asked for %q, got %+v", asked, got)
			}
		}
	})
}

func TestIdleConnectionsAreClosedAndBusyOnesAreNot(t *testing.T) {
	play(t, h2.Config{MaxStreams: 1}, after(time.Second), func(t *testing.T, s *stage) {
		s.crowd(t, 3)
		s.want(t, 3, 3)
		got := make(chan error)
		go func() { got <- s.get(t.Context()) }()
		synctest.Wait()
		s.CloseIdle()
		s.want(t, 3, 1)
		if err := <-got; err != nil {
			t.Error(err)
		}
		s.CloseIdle()
		s.want(t, 3, 0)
	})
}

func TestAConnectionThatItsServerClosesIsForgotten(t *testing.T) {
	var servers []net.Conn
	serve := after(0)
	play(t, h2.Config{}, func(c net.Conn) { servers = append(servers, c); serve(c) }, func(t *testing.T, s *stage) {
		for i := range int64(3) {
			s.crowd(t, 1)
			s.want(t, i+1, 1)
			_ = servers[i].Close()
			s.want(t, i+1, 0)
		}
		if n := s.Hosts(); n != 0 {
			t.Errorf("%d hosts are remembered", n)
		}
	})
}

func TestTheTransportSaysHowLongConnectionsAreKept(t *testing.T) {
	playOver(t, &http.Transport{DisableKeepAlives: true}, h2.Config{}, after(0), func(t *testing.T, s *stage) {
		for range 3 {
			s.crowd(t, 1)
		}
		s.want(t, 3, 0)
	})
	playOver(t, &http.Transport{IdleConnTimeout: time.Minute}, h2.Config{}, after(0), func(t *testing.T, s *stage) {
		for range 3 {
			s.crowd(t, 1)
			time.Sleep(59 * time.Second)
		}
		s.want(t, 1, 1)
		time.Sleep(time.Second)
		s.want(t, 1, 0)
		if n := s.Hosts(); n != 0 {
			t.Errorf("%d hosts are remembered", n)
		}
	})
}

func TestNoRequestIsLostWhileConnectionsComeAndGo(t *testing.T) {
	for _, limits := range []h2.Config{{}, {MaxStreams: 3}, {MaxRequests: 3}, {MaxAge: time.Millisecond}, {MaxStreams: 2, MaxRequests: 7}} {
		play(t, limits, after(time.Millisecond), func(t *testing.T, s *stage) {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					for range 20 {
						s.CloseIdle()
						if err := s.send(t.Context(), "POST", "some text"); err != nil {
							t.Errorf("%+v: %v", limits, err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// It says GOAWAY, and finishes what it has begun; of what comes too late it has seen
// nothing.
func TestNoRequestIsLostToAServerThatStopsInPeace(t *testing.T) {
	servers := make(chan *http.Server, 1000)
	play(t, h2.Config{}, afterOn(3*time.Millisecond, func(s *http.Server) { servers <- s }), func(t *testing.T, s *stage) {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				for range 50 {
					time.Sleep(time.Duration(i) * 100 * time.Microsecond)
					if err := s.get(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Go(func() {
			for range 10 {
				time.Sleep(10 * time.Millisecond)
				if err := (<-servers).Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
		if d := s.dials.Load(); d > 11 {
			t.Errorf("%d connections, want no more than one after each server that stopped", d)
		}
	})
}

// takes serves HTTP/2 for so many requests at once.
func takes(limit int) func(net.Conn) {
	return afterOn(time.Millisecond, func(s *http.Server) { s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: limit} })
}

// Before the first connection stands, nobody knows how many they may be.
func TestABurstIsNoLargerThanAServerTakes(t *testing.T) {
	for _, limit := range []int{1, 5, 99} {
		play(t, h2.Config{}, takes(limit), func(t *testing.T, s *stage) {
			for range 20 {
				s.crowd(t, 100)
				s.CloseIdle()
			}
		})
	}
}

func TestAServerThatTakesNoRequestsIsAskedTwice(t *testing.T) {
	none := func(c net.Conn) {
		_, _ = c.Write(binary.BigEndian.AppendUint32([]byte{2: 6, 3: settings, 8: 0, 10: 3}, 0)) // MAX_CONCURRENT_STREAMS: 0
		frames(says200)(c)
	}
	play(t, h2.Config{}, none, func(t *testing.T, s *stage) {
		for i := range int64(3) {
			if err := s.get(t.Context()); !errors.Is(err, h2.ErrUnprocessed) {
				t.Errorf("got %v", err)
			}
			s.want(t, 2*(i+1), 0)
		}
	})
}

func TestAServerThatIsSlowToGreetIsSentRequests(t *testing.T) {
	late := func(c net.Conn) {
		time.Sleep(time.Minute)
		after(0)(c)
	}
	play(t, h2.Config{}, late, func(t *testing.T, s *stage) {
		s.crowd(t, 3)
		s.want(t, 1, 1)
	})
}
