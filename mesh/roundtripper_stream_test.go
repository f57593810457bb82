package mesh_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// Rules under which a stream must still be a stream: retries, a limit on each
// try, limits on connections.
var streamRegimes = map[string][]string{
	"no rule": nil,
	"retries": {playRule(`[{route: [{destination: {host: play}}], retries: {attempts: 2, perTryTimeout: 60s, retryOn: "5xx,reset"}}]`)},
	"mirror":  {playRule(`[{route: [{destination: {host: play}}], mirrors: [{destination: {host: nowhere}}]}]`)},
	"h2c": {playRule(`[{route: [{destination: {host: play}}], retries: {attempts: 2, perTryTimeout: 60s, retryOn: "5xx,reset"}}]`),
		"apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: play}\nspec: {host: play, trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}}\n"},
}

// underStreamRegimes runs a test against one server under each of them.
func underStreamRegimes(t *testing.T, h http.HandlerFunc, test func(t *testing.T, c *carrier)) {
	t.Helper()
	for name, documents := range streamRegimes {
		for _, withLedger := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/ledger %v", name, withLedger), func(t *testing.T) {
				s := listen(t, h)
				c := carry(t, services{"play": {s.Listener.Addr().String()}, "nowhere": nil}, withLedger, mesh.Config{}, documents...)
				test(t, c)
				c.mustBeIdle(t)
			})
		}
	}
}

// inPausedTime runs a test against one server in memory, under rules of its own.
func inPausedTime(t *testing.T, h http.HandlerFunc, test func(t *testing.T, c *carrier), documents ...string) {
	t.Helper()
	inPausedTimeWith(t, mesh.Config{}, h, test, documents...)
}

func inPausedTimeWith(t *testing.T, cfg mesh.Config, h http.HandlerFunc, test func(t *testing.T, c *carrier), documents ...string) {
	t.Helper()
	for _, withLedger := range []bool{false, true} {
		t.Run(fmt.Sprintf("ledger %v", withLedger), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fleet := meshtest.New(t)
				fleet.Start("play", h, nil)
				fleet.Start("shadow", h, nil)
				cfg.Rules = rules.Static(documents...)
				c := &carrier{mesh: fleet.Mesh(cfg)}
				base := fleet.Base()
				base.ExpectContinueTimeout = 10 * time.Second
				if c.Transport = c.mesh.Transport(base); withLedger {
					c.ledger = &ledger{base: base}
					c.Transport = c.mesh.Transport(c.ledger)
				}
				test(t, c)
				c.mustBeIdle(t)
			})
		})
	}
}

func TestEarlyHintsReachTheCallersTrace(t *testing.T) {
	h := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusOK)
	}
	underStreamRegimes(t, h, func(t *testing.T, c *carrier) {
		var hints []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, header.Get("Link")))
				return nil
			},
		})
		resp := mustAnswer(t, c, get(ctx, "http://play/").Request)
		_ = resp.Body.Close()
		if len(hints) != 1 || hints[0] != "103</style.css>; rel=preload" {
			t.Errorf("hints %q", hints)
		}
	})
}

// The body of a request that expects 100-continue is not touched before the
// server wants it; a try that is refused instead leaves it whole for the next.
func TestABodyThatWaitsFor100IsNotReadBefore(t *testing.T) {
	var tries atomic.Int32
	var body *sentBody
	h := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second) // enough for a transport that does not wait
		if n := body.reads.Load(); n != 0 {
			t.Errorf("the body was read %d times before 100", n)
		}
		if tries.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.Copy(w, r.Body)
	}
	inPausedTime(t, h, func(t *testing.T, c *carrier) {
		tries.Store(0)
		p := newParcel(t.Context(), http.MethodPost, "http://play/").with(sized(3000)())
		p.ContentLength, body = 3000, p.bodies[0]
		p.Header.Set("Expect", "100-continue")
		resp := mustAnswer(t, c, p.Request)
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || len(got) != 3000 || err != nil || tries.Load() != 2 {
			t.Errorf("status %d, %d bytes, %v, after %d tries", resp.StatusCode, len(got), err, tries.Load())
		}
		p.mustBeClosed(t)
	}, playRule(`[{route: [{destination: {host: play}}], retries: {attempts: 1, perTryTimeout: 5s, retryOn: 5xx}}]`))
}

// events sends one a minute.
func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	minutes := time.NewTicker(time.Minute)
	defer minutes.Stop()
	for i := 0; ; i++ {
		fmt.Fprintf(w, "data: %d\n\n", i)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-minutes.C:
		case <-r.Context().Done():
			return
		}
	}
}

// Events arrive one by one, for far longer than a single try may take until its
// headers, and than connections may be idle or old.
func TestEventsArriveAsTheyAreSent(t *testing.T) {
	pool := "{tcp: {maxConnectionDuration: 1m, idleTimeout: 10s, connectTimeout: 1s}, http: {idleTimeout: 10s}}"
	for name, documents := range map[string][]string{
		"no rule":   nil,
		"per try":   {playRule(`[{route: [{destination: {host: play}}], retries: {attempts: 2, perTryTimeout: 1s, retryOn: "5xx,reset"}}]`)},
		"pool":      {policy("play", "{connectionPool: "+pool+"}")},
		"h2c, pool": {policy("play", "{connectionPool: "+strings.Replace(pool, "{idleTimeout", "{h2UpgradePolicy: UPGRADE, idleTimeout", 1)+"}")},
	} {
		t.Run(name, func(t *testing.T) { inPausedTime(t, events, readEvents, documents...) })
	}
}

func readEvents(t *testing.T, c *carrier) {
	resp := mustAnswer(t, c, get(t.Context(), "http://play/").Request)
	lines := bufio.NewReader(resp.Body)
	began := time.Now()
	for i := range 100 {
		line, err := lines.ReadString('\n')
		if _, _ = lines.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("%q, %v", line, err)
		}
		if due := time.Duration(i) * time.Minute; time.Since(began) != due {
			t.Fatalf("event %d came after %v", i, time.Since(began))
		}
	}
	_ = resp.Body.Close()
}

// Requests and answers may overlap: what the caller sends after it has its
// answer's headers arrives, and comes back.
func TestRequestsAndAnswersOverlap(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		buf := make([]byte, 100)
		for {
			n, err := r.Body.Read(buf)
			_, _ = w.Write(buf[:n])
			_ = http.NewResponseController(w).Flush()
			if err != nil {
				return
			}
		}
	}
	underStreamRegimes(t, h, func(t *testing.T, c *carrier) {
		out, in := io.Pipe()
		p := newParcel(t.Context(), http.MethodPost, "http://play/").with(out)
		resp := mustAnswer(t, c, p.Request)
		for i := range 3 {
			word := fmt.Sprintf("word %d", i)
			if _, err := io.WriteString(in, word); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(word))
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != word {
				t.Fatalf("%q, %v", got, err)
			}
		}
		_ = in.Close()
		if rest, err := io.ReadAll(resp.Body); len(rest) != 0 || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
		_ = resp.Body.Close()
		p.mustBeClosed(t)
	})
}

// An endless answer is handed on as it comes, and ends when its reader does.
func TestAnEndlessAnswerIsNotGathered(t *testing.T) {
	ended := make(chan struct{}, 1)
	h := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.Copy(w, zeros{})
		ended <- struct{}{}
	}
	underStreamRegimes(t, h, func(t *testing.T, c *carrier) {
		resp := mustAnswer(t, c, get(t.Context(), "http://play/").Request)
		if _, err := io.CopyN(io.Discard, resp.Body, 32<<20); err != nil {
			t.Error(err)
		}
		_ = resp.Body.Close()
		<-ended
	})
}

// switching answers 101 and echoes lines in capitals.
func switching(tries *atomic.Int32) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		tries.Add(1)
		if r.Header.Get("Upgrade") != "caps" {
			w.WriteHeader(http.StatusUpgradeRequired)
			return
		}
		conn, lines, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: caps\r\n\r\n")
		shout(conn, lines.Reader)
	}
}

func shout(conn net.Conn, lines *bufio.Reader) {
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, strings.ToUpper(line))
	}
}

func TestAnUpgradedConnectionIsTheCallersInBothDirections(t *testing.T) {
	var tries atomic.Int32
	inPausedTime(t, switching(&tries), func(t *testing.T, c *carrier) {
		tries.Store(0)
		r := get(t.Context(), "http://play/").Request
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "caps")
		resp := mustAnswer(t, c, r)
		if resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("status %d", resp.StatusCode)
		}
		conn, ok := resp.Body.(io.ReadWriteCloser)
		if !ok {
			t.Fatalf("%T is no io.ReadWriteCloser", resp.Body)
		}
		time.Sleep(time.Hour) // beyond the route's timeout, which is for answers
		converse(t, conn, conn)
		_ = conn.Close()
		if tries.Load() != 1 {
			t.Errorf("%d tries and copies, want one", tries.Load())
		}
	},
		playRule(`[{route: [{destination: {host: play}}], timeout: 5s, mirrors: [{destination: {host: shadow}}], retries: {attempts: 2, retryOn: "5xx,reset"}}]`),
		policy("play", "{connectionPool: {tcp: {maxConnections: 1}, http: {h2UpgradePolicy: UPGRADE, maxRequestsPerConnection: 1}}}"))
}

func converse(t *testing.T, to io.Writer, from io.Reader) {
	t.Helper()
	lines := bufio.NewReader(from)
	for i := range 3 {
		if _, err := fmt.Fprintf(to, "line %d\n", i); err != nil {
			t.Fatal(err)
		}
		if got, err := lines.ReadString('\n'); err != nil || got != fmt.Sprintf("LINE %d\n", i) {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

// An upgraded connection can be closed one way, as without the mesh: its server may
// answer once it has heard the end.
func TestAnUpgradedConnectionCanBeHalfClosed(t *testing.T) {
	h := func(w http.ResponseWriter, _ *http.Request) {
		conn, lines, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: count\r\n\r\n")
		all, err := io.ReadAll(lines)
		_, _ = fmt.Fprint(conn, len(all), err)
	}
	s := listen(t, http.HandlerFunc(h))
	c := carry(t, services{"play": {s.Listener.Addr().String()}}, false, mesh.Config{})
	r := get(t.Context(), "http://play/").Request
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "count")
	resp := mustAnswer(t, c, r)
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.WriteString(resp.Body.(io.Writer), "hello"); err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(resp.Body); string(got) != "5 <nil>" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestConnectTunnels(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "target.example:443" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		conn, lines, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		shout(conn, lines.Reader)
	}
	s := listen(t, http.HandlerFunc(h))
	for _, withLedger := range []bool{false, true} {
		c := carry(t, services{"play": {s.Listener.Addr().String()}}, withLedger, mesh.Config{},
			playRule(`[{route: [{destination: {host: play}}], rewrite: {authority: "target.example:443"}, mirrors: [{destination: {host: play}}], retries: {attempts: 2, retryOn: "5xx,reset"}}]`))
		out, in := io.Pipe()
		p := newParcel(t.Context(), http.MethodConnect, "http://play").with(out)
		resp := mustAnswer(t, c, p.Request)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("status %d", resp.StatusCode)
		}
		converse(t, in, resp.Body)
		_ = in.Close()
		_ = resp.Body.Close()
		p.mustBeClosed(t)
		c.mustBeIdle(t)
	}
}

// The route's timeout, and that of a try, are for the answer that opens a tunnel, as for
// that to an Upgrade.
func TestATunnelOutlivesTheRoutesTimeout(t *testing.T) {
	h := func(w http.ResponseWriter, _ *http.Request) {
		conn, lines, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		shout(conn, lines.Reader)
	}
	inPausedTime(t, http.HandlerFunc(h), func(t *testing.T, c *carrier) {
		out, in := io.Pipe()
		p := newParcel(t.Context(), http.MethodConnect, "http://play").with(out)
		resp := mustAnswer(t, c, p.Request)
		time.Sleep(time.Hour)
		converse(t, in, resp.Body)
		_ = in.Close()
		_ = resp.Body.Close()
		p.mustBeClosed(t)
	}, playRule(`[{route: [{destination: {host: play}}], timeout: 5s, retries: {attempts: 1, perTryTimeout: 1s, retryOn: "5xx"}}]`))
}

// What http.Client adds holds: its timeout, its errors, its redirects.
func TestAClientsOwnTimeoutIsATimeout(t *testing.T) {
	for name, documents := range streamRegimes {
		t.Run(name, func(t *testing.T) { inPausedTime(t, stageInMemory(), timeOut, documents...) })
	}
}

func timeOut(t *testing.T, c *carrier) {
	client := &http.Client{Transport: c, Timeout: 20 * time.Millisecond}
	_, err := client.Get("http://play/stall")
	var u *url.Error
	if !errors.As(err, &u) || !u.Timeout() || !os.IsTimeout(err) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for headers: %v", err)
	}
	resp, err := client.Get("http://play/drip")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if !os.IsTimeout(err) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reading: %v", err)
	}
	_ = resp.Body.Close()
}

func TestErrorsShowThroughAClient(t *testing.T) {
	s := startStage(t)
	c := carry(t, services{"play": s.addresses(), "gone": {"127.0.0.1:1"}}, false, mesh.Config{},
		playRule(`[{timeout: 20ms, match: [{uri: {prefix: /}}], route: [{destination: {host: play}}]}]`))
	client := &http.Client{Transport: c}
	_, err := client.Get("http://play/stall")
	var u *url.Error
	if !errors.As(err, &u) || !u.Timeout() || !errors.Is(err, mesh.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("route timeout: %v", err)
	}
	_, err = client.Get("http://gone/")
	var refused *net.OpError
	if !errors.Is(err, mesh.ErrConnect) || !errors.As(err, &refused) || errors.As(err, &u) && u.Timeout() {
		t.Errorf("connect: %v", err)
	}
}

func TestCloseIdleConnectionsReachesTheWires(t *testing.T) {
	for name, documents := range map[string][]string{"http/1.1": nil, "h2c": streamRegimes["h2c"]} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, http.NotFoundHandler())
			var count connCount
			c := carry(t, services{"play": {s.Listener.Addr().String()}}, false, mesh.Config{DialContext: count.dial}, documents...)
			client := &http.Client{Transport: c}
			for range 3 {
				resp, err := client.Get("http://play/")
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			eventually(t, "one connection is kept", func() bool { return count.open.Load() == 1 })
			eventually(t, "it is closed", func() bool {
				client.CloseIdleConnections() // a stream of HTTP/2 ends a moment after its answer was read
				return count.open.Load() == 0
			})
		})
	}
}

// A connCount counts connections.
type connCount struct{ made, open atomic.Int32 }

func (n *connCount) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	n.made.Add(1)
	n.open.Add(1)
	return &countedConn{Conn: c, count: n}, nil
}

type countedConn struct {
	net.Conn
	count *connCount
	once  sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.count.open.Add(-1) })
	return c.Conn.Close()
}
