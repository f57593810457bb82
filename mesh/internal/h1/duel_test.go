package h1_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func sized(head, body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

// once answers the first request of each connection with ok, and then otherwise.
func once(then string) reply {
	return func(_, n int) string {
		if n == 0 {
			return ok
		}
		return then
	}
}

// fickle is once on the first connection, and ok on all others.
func fickle(then string) reply {
	return func(c, n int) string {
		if c == 0 && n > 0 {
			return then
		}
		return ok
	}
}

func big(n int) string { return strings.Repeat("x", n) }

var duels = []duel{
	{name: "plain", reply: always(ok)},
	{name: "byte by byte", reply: always(ok + drip)},
	{name: "much", reply: always(sized("", big(1<<20)))},
	{name: "empty", reply: always(sized("", ""))},
	{name: "many headers", reply: always(sized(strings.Repeat("X-A: b\r\nx-c:   d  \r\nSet-Cookie: e=f\r\n", 50), "ok"))},
	{name: "folded header", reply: always(sized("X-A: b\r\n  c\r\n", "ok"))},
	{name: "pragma", reply: always(sized("Pragma: no-cache\r\n", "ok"))},
	{name: "no reason", reply: always("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok")},
	{name: "bare newlines", reply: always("HTTP/1.1 200 OK\nContent-Length: 2\n\nok")},

	{name: "chunked", reply: always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")},
	{name: "chunked byte by byte", reply: always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n" + drip)},
	{name: "chunked with a trailer", reply: always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n" + drip)},
	{name: "chunked, trailer not announced", reply: always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n")},
	{name: "chunked and a length", reply: always("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")},
	{name: "chunked, broken", reply: always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n")},
	{name: "chunked, cut off", reply: always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok" + hangUp)},
	{name: "chunked, cut off before the end", reply: always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n" + hangUp)},
	{name: "chunked, a trailer too long", reply: always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: " + big(9000) + "\r\n\r\n")},
	{name: "unknown encoding", reply: always("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")},

	{name: "until the end", reply: always("HTTP/1.1 200 OK\r\n\r\nuntil the end" + hangUp)},
	{name: "until the end, reset", reply: always("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + reset), either: true},
	{name: "HTTP/1.0", reply: always("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")},
	{name: "HTTP/1.0 without a length", reply: always("HTTP/1.0 200 OK\r\n\r\nok" + hangUp)},
	{name: "HTTP/1.0 that stays", reply: always("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")},
	{name: "HTTP/1.0, chunked", reply: always("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + hangUp)},
	{name: "HTTP/2.0", reply: always("HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok")},
	{name: "closes, and says so", reply: always(sized("Connection: close\r\n", "ok") + hangUp)},
	{name: "says that it closes", reply: always(sized("Connection: x, Close\r\n", "ok"))},
	{name: "closes, and does not say so", reply: always(ok + hangUp), racy: true},

	{name: "HEAD", request: send("HEAD", ""), reply: always("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")},
	{name: "HEAD, chunked", request: send("HEAD", ""), reply: always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")},
	{name: "HEAD, gzip", request: send("HEAD", ""), reply: always("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\n")},
	{name: "204", reply: always("HTTP/1.1 204 No Content\r\n\r\n")},
	{name: "304", reply: always("HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\n")},
	{name: "404", reply: always("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")},
	{name: "redirect", reply: always("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")},
	{name: "099", reply: always("HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok")},
	{name: "999", reply: always("HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok")},
	{name: "100", reply: always("HTTP/1.1 100 Continue\r\n\r\n" + ok)},
	{name: "103 twice", reply: always("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + ok + drip)},
	{name: "103 for ever", config: h1.Config{MaxHeader: 1 << 10}, reply: always(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 100))},

	{name: "a long head", reply: always(sized("X-A: "+big(100_000)+"\r\n", "ok"))},
	{name: "a head too long", config: h1.Config{MaxHeader: 1 << 10}, reply: always(sized("X-A: "+big(2000)+"\r\n", "ok"))},
	{name: "a long body is no long head", config: h1.Config{MaxHeader: 1 << 10}, reply: always(sized("", big(20_000)))},

	{name: "garbage", reply: always("what is this\r\n\r\n" + hangUp)},
	{name: "a status that is no number", reply: always("HTTP/1.1 2x0 OK\r\n\r\n" + hangUp)},
	{name: "a version that is none", reply: always("HTTPS/1.1 200 OK\r\n\r\n" + hangUp)},
	{name: "half a status line", reply: always("HTTP/1.1 20" + hangUp)},
	{name: "half a head", reply: always("HTTP/1.1 200 OK\r\nContent-Le" + hangUp)},
	{name: "half a body", reply: always("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok" + hangUp)},
	{name: "a header without a colon", reply: always("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n" + hangUp)},
	{name: "a header with a space", reply: always("HTTP/1.1 200 OK\r\nX A: b\r\n\r\n" + hangUp)},
	{name: "two lengths", reply: always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok")},
	{name: "two equal lengths", reply: always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok")},
	{name: "a negative length", reply: always("HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok")},
	{name: "nothing", reply: always(hangUp)},
	{name: "reset", reply: always(reset), either: true},
	{name: "more than was asked for", reply: always(ok + "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsmuggle"), racy: true, either: true}, // a Transport may take it for the next answer

	{name: "gzip", reply: always(sized("Content-Encoding: gzip\r\n", packed("packed")))},
	{name: "GZip, chunked", reply: always(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: GZip\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n%x\r\n%s\r\n0\r\nX-A: b\r\n\r\n", len(packed("packed")), packed("packed")))},
	{name: "gzip, two members", reply: always(sized("Content-Encoding: gzip\r\n", packed("pack")+packed("ed")))},
	{name: "gzip, empty", reply: always(sized("Content-Encoding: gzip\r\n", ""))},
	{name: "gzip that is none", reply: always(sized("Content-Encoding: gzip\r\n", "plain text"))},
	{name: "gzip, cut off", reply: always(sized("Content-Encoding: gzip\r\n", packed("packed")[:12]))},
	{name: "gzip, more behind", reply: always(sized("Content-Encoding: gzip\r\n", packed("packed")+"rest of something"))},
	{name: "gzip, not wanted", config: h1.Config{DisableCompression: true}, reply: always(sized("Content-Encoding: gzip\r\n", packed("packed")))},
	{name: "gzip that the caller asked for", request: send("GET", "", "Accept-Encoding", "gzip"), reply: always(sized("Content-Encoding: gzip\r\n", packed("packed")))},
	{name: "gzip of a part", request: send("GET", "", "Range", "bytes=0-1"), reply: always(sized("Content-Encoding: gzip\r\n", packed("packed")))},
	{name: "br", reply: always(sized("Content-Encoding: br\r\n", "br"))},

	{name: "POST", request: send("POST", "body"), reply: always(ok)},
	{name: "POST of nothing", request: send("POST", ""), reply: always(ok)},
	{name: "POST of much", request: send("POST", big(64<<10)), reply: always(ok)},
	{name: "POST answered before it is read", request: send("POST", big(64<<10)), reply: always(sized("Connection: close\r\n", "early") + first), racy: true},
	{name: "DELETE with a body", request: send("DELETE", "body"), reply: always(ok)},
	{name: "PUT of nothing", request: send("PUT", ""), reply: always(ok)},
	{name: "a method of one's own", request: send("PURGE", "", "X-B", "1", "X-A", " 2 ", "X-A", ""), reply: always(ok)},
	{name: "no user agent", request: send("GET", "", "User-Agent", ""), reply: always(ok)},
	{name: "a user agent", request: send("GET", "", "User-Agent", " x "), reply: always(ok)},
	{name: "fields that are told otherwise", request: send("GET", "", "Host", "a", "Content-Length", "5", "Transfer-Encoding", "chunked", "Trailer", "X"), reply: always(ok)},
	{name: "the caller closes", request: closing(send("GET", "")), reply: always(ok)},
	{name: "the caller closes, by both", request: closing(send("GET", "", "Connection", "close")), reply: always(ok)},
	{name: "keep-alive", request: send("GET", "", "Connection", "keep-alive"), reply: always(ok)},
	{name: "a body with nothing in it", request: func(i int, url string) *http.Request {
		r := send("POST", "")(i, url)
		r.Body = http.NoBody
		return r
	}, reply: always(ok)},
	{name: "a body shorter than it says", request: misjudged("POST", "body", 9), reply: always(ok), racy: true},
	{name: "a body longer than it says", request: misjudged("POST", "body", 2), reply: always(ok), racy: true},
	{name: "a body that breaks", request: breaking, reply: always(ok), racy: true},

	{name: "GET over a stale connection", reply: fickle(hangUp), times: 4},
	{name: "GET over a reset connection", reply: fickle(reset), times: 4},
	{name: "GET over a connection that answers halfway", reply: fickle("HTTP/1.1 2" + hangUp), times: 4},
	{name: "POST over a stale connection", request: send("POST", "body"), reply: fickle(hangUp), times: 4},
	{name: "POST with a key over a stale connection", request: send("POST", "body", "Idempotency-Key", "1"), reply: fickle(hangUp), times: 4},
	{name: "POST with X-key over a stale connection", request: send("POST", "body", "X-Idempotency-Key", "1"), reply: fickle(hangUp), times: 4},
	{name: "DELETE over a stale connection", request: send("DELETE", ""), reply: fickle(hangUp), times: 4},
	{name: "OPTIONS over stale connections", request: send("OPTIONS", ""), reply: once(hangUp), times: 4},

	{name: "no head in time", config: h1.Config{HeaderTimeout: time.Second}, reply: always("HTTP/1.1 200 OK\r\n" + mute), times: 2, paused: true},
	{name: "a head in time", config: h1.Config{HeaderTimeout: time.Hour}, reply: always(ok)},
	{name: "out of time while it waits", request: within(time.Second), reply: always(mute), times: 2, paused: true},
	{name: "out of time while it reads", request: within(time.Second), reply: always(sized("", "half")[:40] + mute), times: 2, paused: true},
	{name: "out of time before it begins", request: within(-time.Second), reply: always(ok), times: 2},
	{name: "out of time, with a cause", request: leaving(time.Second, errOwn), reply: always(mute), times: 2, paused: true},
	{name: "cancelled by channel", request: cancelling(time.Second), reply: always(mute), times: 2, paused: true},
	{name: "not cancelled by channel", request: cancelling(time.Hour), reply: always(ok)},
}

func closing(make func(int, string) *http.Request) func(int, string) *http.Request {
	return func(i int, url string) *http.Request {
		r := make(i, url)
		r.Close = true
		return r
	}
}

func misjudged(method, body string, length int64) func(int, string) *http.Request {
	return func(i int, url string) *http.Request {
		r := send(method, body)(i, url)
		r.ContentLength = length
		return r
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errOwn }

func breaking(_ int, url string) *http.Request {
	r, _ := http.NewRequest(http.MethodPost, url, io.MultiReader(strings.NewReader("half"), broken{}))
	r.ContentLength = 20
	r.GetBody = func() (io.ReadCloser, error) { return nil, errOwn }
	return r
}

func within(d time.Duration) func(int, string) *http.Request {
	return func(i int, url string) *http.Request {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		context.AfterFunc(ctx, cancel)
		return send("GET", "")(i, url).WithContext(ctx)
	}
}

func leaving(d time.Duration, why error) func(int, string) *http.Request {
	return func(i int, url string) *http.Request {
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(d, func() { cancel(why) })
		return send("GET", "")(i, url).WithContext(ctx)
	}
}

func cancelling(d time.Duration) func(int, string) *http.Request {
	return func(i int, url string) *http.Request {
		r, gone := send("GET", "")(i, url), make(chan struct{})
		r.Cancel = gone //nolint:staticcheck // still obeyed
		time.AfterFunc(d, func() { close(gone) })
		return r
	}
}

// Whatever a server does: callers see what http.Transport shows them, and the
// server sees the same requests, byte for byte, over as many connections.
func TestWhatAServerDoesIsSeenAsThroughATransport(t *testing.T) {
	for _, d := range duels {
		t.Run(d.name, d.run)
	}
}

// What was unpacked and not read is gone with Close.
func TestAnUnpackedBodyIsNotReadOnAfterItWasClosed(t *testing.T) {
	s := startScript(t, always(sized("Content-Encoding: gzip\r\n", packed("packed"))))
	pool := h1.New(h1.Config{Dial: dialTCP})
	defer pool.CloseIdle()
	for _, n := range []int{1, 6} {
		resp, err := pool.RoundTrip(send("GET", "")(0, s.url()))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadFull(resp.Body, make([]byte, n)); got != n || err != nil {
			t.Errorf("%d bytes, %v", got, err)
		}
		_ = resp.Body.Close()
		if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
			t.Errorf("after Close: %d bytes, %v", n, err)
		}
	}
}
