package h1_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

// dialOnce connects to a server that reads one request, answers, and hangs up;
// then it tells what it has heard.
func dialOnce(answer string, heard chan<- string) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) {
		client, server := net.Pipe()
		s := &scripted{reply: always(answer + hangUp)}
		go func() {
			s.converse(server, 0)
			heard <- strings.Join(s.requests, "")
		}()
		return client, nil
	}
}

// Whatever a server sends: no panic, no hang, and what callers see is what
// http.Transport shows them.
func FuzzAnswers(f *testing.F) {
	for _, d := range duels {
		if d.config.MaxHeader == 0 {
			plain, _ := ending(d.reply(0, 1))
			f.Add("GET", plain)
			f.Add("HEAD", plain)
		}
	}
	f.Fuzz(func(t *testing.T, method, answer string) {
		if method != "HEAD" && method != "POST" {
			method = "GET"
		}
		if strings.Contains(answer, " 101") {
			return // see doc.go
		}
		pool, transport := rivals(t, h1.Config{MaxHeader: 16 << 10, Dial: dialOnce(answer, make(chan string, 2))})
		got, want := outcomeIn(t, pool, method), outcomeIn(t, transport, method)
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("\n got %+v\nwant %+v", got, want)
		}
	})
}

func outcomeIn(t *testing.T, rt http.RoundTripper, method string) outcome {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, method, "http://a/", nil)
	o := outcomeOf(rt, r)
	if ctx.Err() != nil {
		t.Error("it hangs")
	}
	return o
}

// Whatever a caller asks for: the server hears what it hears from http.Transport,
// byte for byte.
func FuzzRequests(f *testing.F) {
	f.Add("GET", "/path", "q=1", "example.com", "X-A", "b", "", byte(0))
	f.Add("", "", "", "", "User-Agent", "", "", byte(1))
	f.Add("POST", "/a b/%zz", "a=b c", "[::1]:80", "Connection", "close", "body", byte(2))
	f.Add("PUT", "//a", "", "h:1", "accept-encoding", " x ", "", byte(3))
	f.Add("HEAD", "*", "?", "-", "Range", "bytes=0-1", "", byte(4))
	f.Add("PATCH", "/ü/\x01", "", "a_b", "Content-Length", "7", "\x00\xff", byte(5))
	f.Add("DELETE", "/a%2Fb", "%2F", "A.B", "Accept-Encoding", "", "x", byte(6))
	f.Fuzz(func(t *testing.T, method, path, query, host, name, value, body string, flags byte) {
		ask := func() *http.Request {
			r := &http.Request{
				Method: method, URL: &url.URL{Scheme: "http", Host: "a:1", Path: path, RawQuery: query}, Host: host,
				Header: http.Header{name: {value}, "X-Z": {"1", " 2 "}}, Close: flags&1 > 0,
			}
			r.URL.ForceQuery = flags&2 > 0
			if body != "" {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
				r.GetBody = func() (io.ReadCloser, error) { return nil, errOwn }
			}
			return r
		}
		heard := make(chan string, 1)
		pool, transport := rivals(t, h1.Config{Dial: dialOnce(ok, heard)})
		if !pool.Takes(ask()) {
			return
		}
		ours, mine := outcomeOf(pool, ask()), <-heard
		theirs, yours := outcomeOf(transport, ask()), <-heard
		if (ours.Failed == "") != (theirs.Failed == "") || mine != yours {
			t.Errorf("\n got %q (%s)\nwant %q (%s)", mine, ours.Failed, yours, theirs.Failed)
		}
	})
}
