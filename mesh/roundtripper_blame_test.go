package mesh_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
)

// One failure ejects a host of "play"; so a test sees who is blamed.
const oneFailure = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: play}
spec: {host: play, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1, baseEjectionTime: 1h, maxEjectionPercent: 100}}}
`

func playRule(http string) string {
	return "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: play}\nspec: {hosts: [play], http: " + http + "}\n"
}

// blamed is how many endpoints are out of rotation.
func (c *carrier) blamed() (n int) {
	for _, cl := range c.mesh.Clusters() {
		for _, e := range cl.Endpoints {
			if e.Circuit != "closed" {
				n++
			}
		}
	}
	return n
}

func (c *carrier) mustBlame(t *testing.T, want int) {
	t.Helper()
	if got := c.blamed(); got != want {
		t.Errorf("%d hosts are ejected, want %d", got, want)
	}
}

func TestAHostIsBlamedForAnAnswerThatBreaksOff(t *testing.T) {
	s := startStage(t)
	c := carry(t, services{"play": s.addresses()}, false, mesh.Config{}, oneFailure)
	resp, err := c.RoundTrip(get(t.Context(), "http://play/cut").Request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading a cut-off answer: %v", err)
	}
	_ = resp.Body.Close()
	c.mustBlame(t, 1)
}

func TestNoHostIsBlamedForACallerThatLeaves(t *testing.T) {
	leave := map[string]func(t *testing.T, c *carrier){
		"closes while it reads": func(t *testing.T, c *carrier) {
			resp := mustAnswer(t, c, get(t.Context(), "http://play/drip").Request)
			read := make(chan error)
			go func() { _, err := io.Copy(io.Discard, resp.Body); read <- err }()
			_ = resp.Body.Close()
			<-read
		},
		"cancels while it reads": func(t *testing.T, c *carrier) {
			ctx, cancel := context.WithCancel(t.Context())
			resp := mustAnswer(t, c, get(ctx, "http://play/drip").Request)
			time.AfterFunc(5*time.Millisecond, cancel)
			if _, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, context.Canceled) {
				t.Errorf("reading: %v", err)
			}
			_ = resp.Body.Close()
		},
		"cancels while it waits": func(t *testing.T, c *carrier) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(5*time.Millisecond, cancel)
			mustFail(t, c, get(ctx, "http://play/stall").Request, mesh.ErrCanceled, context.Canceled)
		},
		"sends half a body": func(t *testing.T, c *carrier) {
			mustFail(t, c, postFails(t.Context(), "http://play/broken").Request, io.ErrUnexpectedEOF)
		},
		"sends half a body while it reads": func(t *testing.T, c *carrier) {
			if resp, err := c.RoundTrip(postFails(t.Context(), "http://play/echo").Request); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		},
	}
	for name, f := range leave {
		t.Run(name, func(t *testing.T) {
			s := startStage(t)
			c := carry(t, services{"play": s.addresses()}, false, mesh.Config{}, oneFailure)
			for range 20 {
				f(t, c)
			}
			c.mustBlame(t, 0)
			c.mustBeIdle(t)
		})
	}
}

func TestNoHostIsBlamedForACallerThatIsOutOfTimeWhileItReads(t *testing.T) {
	inPausedTime(t, stageInMemory(), func(t *testing.T, c *carrier) {
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			resp := mustAnswer(t, c, get(ctx, "http://play/drip").Request)
			if _, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("reading: %v", err)
			}
			_ = resp.Body.Close()
			cancel()
		}
		c.mustBlame(t, 0)
	}, oneFailure)
}

func mustAnswer(t *testing.T, rt http.RoundTripper, r *http.Request) *http.Response {
	t.Helper()
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// mustFail sends r and wants an *Error that is all of want.
func mustFail(t *testing.T, rt http.RoundTripper, r *http.Request, want ...error) *mesh.Error {
	t.Helper()
	resp, err := rt.RoundTrip(r)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatalf("answered %s, want an error", resp.Status)
	}
	var e *mesh.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T is no *mesh.Error: %v", err, err)
	}
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("%v\nis not %v", err, w)
		}
	}
	return e
}

// The route's time is up in the middle of an answer: the host had answered.
func TestARouteTimeoutInTheMiddleOfAnAnswerBlamesNobody(t *testing.T) {
	var flags atomic.Value
	observer := mesh.Observer{Request: func(i mesh.RequestInfo) { flags.Store(i.Flags) }}
	inPausedTimeWith(t, mesh.Config{Observer: observer}, stageInMemory(), func(t *testing.T, c *carrier) {
		resp := mustAnswer(t, c, get(t.Context(), "http://play/drip").Request)
		if _, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("reading: %v", err)
		}
		_ = resp.Body.Close()
		c.mustBlame(t, 0)
		if flags.Swap("") != "UT" {
			t.Error("the flags are not UT")
		}
	}, oneFailure, playRule(`[{timeout: 50ms, route: [{destination: {host: play}}]}]`))
}

// What the caller's own writer says about an answer is not the host's fault.
func TestNoHostIsBlamedForTheWriterThatAnAnswerIsWrittenTo(t *testing.T) {
	s := startStage(t)
	c := carry(t, services{"play": s.addresses()}, false, mesh.Config{}, oneFailure)
	wire := writingBase{c.Transport}
	outer := carry(t, services{"play": s.addresses()}, false, mesh.Config{}, oneFailure)
	rt := outer.mesh.Transport(wire)
	resp := mustAnswer(t, rt, get(t.Context(), "http://play/big").Request)
	to, ok := resp.Body.(io.WriterTo)
	if !ok {
		t.Fatal("io.WriterTo is lost")
	}
	if _, err := to.WriteTo(refusingWriter{}); !errors.Is(err, errWriter) {
		t.Errorf("WriteTo: %v", err)
	}
	_ = resp.Body.Close()
	outer.mustBlame(t, 0)
}

var errWriter = errors.New("the disk is full")

type refusingWriter struct{}

func (refusingWriter) Write([]byte) (int, error) { return 0, errWriter }

// writingBase gives bodies that can write themselves.
type writingBase struct{ base http.RoundTripper }

func (b writingBase) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.(*http.Transport).Clone().RoundTrip(r)
	if err == nil {
		resp.Body = writingBody{resp.Body}
		resp.Close = true
	}
	return resp, err
}

type writingBody struct{ io.ReadCloser }

func (b writingBody) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, b.ReadCloser) }

// An answer that asks for a retry is the caller's if the request cannot be sent
// again: its body was long, and has been sent.
func TestAnAnswerToARequestThatCannotBeSentAgainIsTheCallers(t *testing.T) {
	for _, path := range []string{"/broken", "/early"} {
		for _, withLedger := range []bool{false, true} {
			t.Run(fmt.Sprint(path, withLedger), func(t *testing.T) {
				s := startStage(t)
				c := carry(t, services{"play": s.addresses()}, withLedger, mesh.Config{}, playRule(`[{route: [{destination: {host: play}}], retries: {attempts: 2, retryOn: 5xx, backoff: 20ms}}]`))
				for range 10 {
					p := postLong(t.Context(), "http://play"+path)
					resp, err := c.RoundTrip(p.Request)
					if err != nil && path == "/broken" { // where the body is not read to its end, either may be seen first
						t.Fatal(err)
					}
					if err == nil {
						if resp.StatusCode != http.StatusServiceUnavailable {
							t.Errorf("status %d", resp.StatusCode)
						}
						_ = resp.Body.Close()
					} else if errors.Is(err, mesh.ErrCanceled) {
						t.Errorf("nobody cancelled: %v", err)
					}
					p.mustBeClosed(t)
				}
				c.mustBeIdle(t)
			})
		}
	}
}

// Between two tries the caller leaves: the discarded answer is drained meanwhile.
func TestLeavingBetweenTwoTriesGivesAllBackOnce(t *testing.T) {
	for _, withLedger := range []bool{false, true} {
		s := startStage(t)
		c := carry(t, services{"play": s.addresses()}, withLedger, mesh.Config{},
			playRule(`[{route: [{destination: {host: play}}], retries: {attempts: 2, retryOn: 5xx, backoff: 10s}, timeout: 60s}]`),
			"apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: play}\nspec: {host: play, trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}}}\n")
		for range 30 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(2*time.Millisecond, cancel)
			p := postUnknown(ctx, "http://play/broken")
			mustFail(t, c, p.Request, mesh.ErrCanceled, context.Canceled)
			p.mustBeClosed(t)
		}
		c.mustBeIdle(t)
	}
}

// A delay is injected before the route's time begins, and before that of the
// first try.
func TestAnInjectedDelayIsNotPartOfAnyTimeout(t *testing.T) {
	inPausedTime(t, stageInMemory(), func(t *testing.T, c *carrier) {
		resp := mustAnswer(t, c, get(t.Context(), "http://play/echo").Request)
		_ = resp.Body.Close()
	}, playRule(`[{fault: {delay: {percentage: {value: 100}, fixedDelay: 400ms}}, timeout: 390ms, retries: {attempts: 1, perTryTimeout: 380ms}, route: [{destination: {host: play}}]}]`))
}

func TestACauseOfTheCallersIsToldAndTimeIsStillTime(t *testing.T) {
	s := startStage(t)
	c := carry(t, services{"play": s.addresses()}, false, mesh.Config{})
	why := errors.New("why")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Millisecond, why)
	defer cancel()
	if e := mustFail(t, c, get(ctx, "http://play/stall").Request, mesh.ErrTimeout, why); !e.Timeout() {
		t.Error("Timeout() is false")
	}
	gone, leave := context.WithCancelCause(t.Context())
	time.AfterFunc(5*time.Millisecond, func() { leave(why) })
	if e := mustFail(t, c, get(gone, "http://play/stall").Request, mesh.ErrCanceled, why); e.Timeout() {
		t.Error("Timeout() is true")
	}
}

// What net/http does with a connection that the server has just closed, it does
// here too: an idempotent request whose body can be had again is sent again.
func TestARequestOverAConnectionThatTheServerClosedIsSentAgain(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var connections atomic.Int32
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			go answerOnce(conn, connections.Add(1) == 1)
		}
	}()
	t.Cleanup(func() { _ = lis.Close() })
	c := carry(t, services{"play": {lis.Addr().String()}}, false, mesh.Config{})
	for range 2 {
		p := newParcel(t.Context(), http.MethodPost, "http://play/").withCopies(300, sized(300))
		p.Header.Set("Idempotency-Key", "1")
		resp := mustAnswer(t, c, p.Request)
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		p.mustBeClosed(t)
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// answerOnce answers one request, and hangs up on the next if it is fickle.
func answerOnce(conn net.Conn, fickle bool) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for n := 0; ; n++ {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, _ = io.Copy(io.Discard, r.Body); fickle && n == 1 {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}
}

// What is wrong with a request before it is sent is no fault of a host.
func TestNoHostIsBlamedForARequestThatNobodyCanSend(t *testing.T) {
	s := startStage(t)
	c := carry(t, services{"play": s.addresses()}, false, mesh.Config{}, oneFailure)
	faulty := map[string]func(r *http.Request){
		"method":       func(r *http.Request) { r.Method = "GE T" },
		"header name":  func(r *http.Request) { r.Header["A B"] = []string{"1"} },
		"header value": func(r *http.Request) { r.Header["A"] = []string{"1\r\n"} },
		"nil header":   func(r *http.Request) { r.Header = nil },
	}
	for name, spoil := range faulty {
		p := postUnknown(t.Context(), "http://play/echo")
		spoil(p.Request)
		if resp, err := c.RoundTrip(p.Request); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s: %s", name, resp.Status)
		}
		p.mustBeClosed(t)
	}
	c.mustBlame(t, 0)
	c.mustBeIdle(t)
}

func TestAMirrorThatIsDroppedClosesItsBody(t *testing.T) {
	s := startStage(t)
	c := carry(t, services{"play": s.addresses(), "shadow": s.addresses()}, false, mesh.Config{MirrorLimit: 1},
		playRule(`[{route: [{destination: {host: play}}], mirrors: [{destination: {host: shadow}}, {destination: {host: shadow}}, {destination: {host: shadow}}]}]`))
	p := postKnown(t.Context(), "http://play/echo")
	resp := mustAnswer(t, c, p.Request)
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	_ = c.mesh.Close()
	p.mustBeClosed(t)
}

// An upgrade is not mirrored, and costs no copy of the body.
func TestAnUpgradeIsNotMirrored(t *testing.T) {
	s := startStage(t)
	c := carry(t, services{"play": s.addresses(), "shadow": s.addresses()}, false, mesh.Config{},
		playRule(`[{route: [{destination: {host: play}}], mirrors: [{destination: {host: shadow}}]}]`))
	p := postKnown(t.Context(), "http://play/echo")
	p.Header.Set("Connection", "Upgrade")
	p.Header.Set("Upgrade", "echo")
	resp := mustAnswer(t, c, p.Request)
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if len(p.bodies) != 1 {
		t.Errorf("%d bodies were made, want 1", len(p.bodies))
	}
	p.mustBeClosed(t)
}

// The caller gets its request back with the answer, and may use it as it likes,
// while copies of it are still under way.
func TestAMirrorOutlivesTheCallersRequest(t *testing.T) {
	s := startStage(t)
	seen := make(chan *http.Request, 64)
	shadow := listen(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r }))
	c := carry(t, services{"play": s.addresses(), "shadow": {shadow.Listener.Addr().String()}}, false, mesh.Config{},
		playRule(`[{route: [{destination: {host: play}}], mirrors: [{destination: {host: shadow}}]}]`))
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		p := postUnknown(ctx, "http://play/echo?a=b")
		resp := mustAnswer(t, c, p.Request)
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		cancel()
		p.Header["X-One"][0] = "changed"
		p.Header["X-Three"] = []string{"new"}
		p.URL.Path, p.URL.RawQuery, p.Host = "/changed", "", "changed"
		r := <-seen
		if r.URL.RequestURI() != "/echo?a=b" || r.Header.Get("X-One") != "1" || r.Header.Get("X-Three") != "" || !strings.HasPrefix(r.Host, "play") {
			t.Fatalf("the copy was %s %s %v", r.Host, r.URL, r.Header)
		}
	}
}

// Request.Cancel is deprecated, and still how http.Client ends what is out of
// time, beside the context and perhaps before it.
func TestNoHostIsBlamedForARequestThatIsCancelledByItsChannel(t *testing.T) {
	s := startStage(t)
	c := carry(t, services{"play": s.addresses()}, false, mesh.Config{}, oneFailure)
	for _, path := range []string{"/stall", "/drip"} {
		p := get(t.Context(), "http://play"+path)
		gone := make(chan struct{})
		p.Cancel = gone //nolint:staticcheck // what is tested
		time.AfterFunc(5*time.Millisecond, func() { close(gone) })
		resp, err := c.RoundTrip(p.Request)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		} else if !errors.Is(err, mesh.ErrCanceled) {
			t.Errorf("%s: %v", path, err)
		}
		if err == nil {
			t.Errorf("%s: no error", path)
		}
	}
	c.mustBlame(t, 0)
}

// A client that is out of time before there is an answer says something of the
// host; in the middle of an answer it does not.
func TestNoHostIsBlamedForAClientThatIsOutOfTimeWhileItReads(t *testing.T) {
	inPausedTime(t, stageInMemory(), func(t *testing.T, c *carrier) {
		client := &http.Client{Transport: c, Timeout: 300 * time.Millisecond}
		for range 4 {
			resp, err := client.Get("http://play/drip")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); !os.IsTimeout(err) {
				t.Error(err)
			}
			_ = resp.Body.Close()
		}
		c.mustBlame(t, 0)
	}, oneFailure)
}
