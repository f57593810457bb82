package h1_test

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

// An outcome is all that a caller can see of an exchange.
type outcome struct {
	Failed       string // the class of RoundTrip's error; "": none
	Status       string
	Code         int
	Proto        string
	Header       http.Header
	Length       int64
	Encoding     []string
	Close        bool
	Uncompressed bool
	Body         string
	Broken       string // the class of the body's error; "": io.EOF
	Trailer      http.Header
	Repeats      string // what Read says once more
}

func outcomeOf(rt http.RoundTripper, r *http.Request) outcome {
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return outcome{Failed: classOf(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	o := outcome{
		Status: resp.Status, Code: resp.StatusCode, Proto: resp.Proto, Header: resp.Header, Length: resp.ContentLength,
		Encoding: resp.TransferEncoding, Close: resp.Close, Uncompressed: resp.Uncompressed,
	}
	body, err := io.ReadAll(resp.Body)
	o.Body, o.Broken, o.Trailer = string(body), classOf(err), resp.Trailer
	if err == nil {
		_, err = resp.Body.Read(make([]byte, 1))
		o.Repeats = classOf(err)
	}
	return o
}

// classOf says what kind of error it is, as far as callers can tell.
func classOf(err error) string {
	if err == nil {
		return ""
	}
	classes := []string{"error"}
	for _, kind := range []error{
		io.EOF, io.ErrUnexpectedEOF, context.Canceled, context.DeadlineExceeded, gzip.ErrHeader, gzip.ErrChecksum, errOwn,
	} {
		if errors.Is(err, kind) {
			classes = append(classes, kind.Error())
		}
	}
	if os.IsTimeout(err) {
		classes = append(classes, "timeout")
	}
	return strings.Join(classes, ", ")
}

// errOwn is a caller's.
var errOwn = errors.New("the caller's own")

// A duel is a server's behaviour and what is asked of it, through a Pool and
// through an http.Transport.
type duel struct {
	name    string
	config  h1.Config
	reply   reply
	request func(i int, url string) *http.Request // nil: GET
	times   int                                   // 0: three
	racy    bool                                  // net/http does not always use the same connections
	either  bool                                  // a Transport may see one of two things first
	paused  bool                                  // it is about time: in memory, in a bubble
}

func (d duel) run(t *testing.T) {
	if d.paused {
		synctest.Test(t, d.compare)
		return
	}
	d.compare(t)
}

func (d duel) compare(t *testing.T) {
	ours, mine := d.through(t, func(c h1.Config) http.RoundTripper { pool, _ := rivals(t, c); return pool })
	theirs, yours := d.through(t, func(c h1.Config) http.RoundTripper { _, transport := rivals(t, c); return transport })
	for i := range ours {
		if got, want := fmt.Sprintf("%+v", ours[i]), fmt.Sprintf("%+v", theirs[i]); got != want && !d.either {
			t.Errorf("request %d:\n got %s\nwant %s", i, got, want)
		}
	}
	if got, want := mine.connections(), yours.connections(); got != want && !d.racy {
		t.Errorf("%d connections, want %d", got, want)
	}
	if got, want := fmt.Sprintf("%q", mine.heard()), fmt.Sprintf("%q", yours.heard()); got != want && !d.racy {
		t.Errorf("requests\n got %s\nwant %s", got, want)
	}
}

func (d duel) through(t *testing.T, rival func(h1.Config) http.RoundTripper) ([]outcome, *scripted) {
	s, url, c := d.server(t), "http://server", d.config
	if d.paused {
		c.Dial = (&lab{T: t, scripted: s}).dial
	} else {
		url = s.url()
	}
	rt := rival(c)
	var out []outcome
	for i := range cmp.Or(d.times, 3) {
		out = append(out, outcomeOf(rt, d.ask(t, rt, i, url)))
	}
	return out, s
}

func (d duel) server(t *testing.T) *scripted {
	if !d.paused {
		return startScript(t, d.reply)
	}
	s := &scripted{reply: d.reply}
	t.Cleanup(s.serve.Wait) // after the rivals have closed what they keep
	return s
}

func (d duel) ask(t *testing.T, rt http.RoundTripper, i int, url string) *http.Request {
	ask := d.request
	if ask == nil {
		ask = send(http.MethodGet, "")
	}
	r := ask(i, url)
	r.Host = "example.com" // not the port, which differs
	if p, ok := rt.(*h1.Pool); ok && !p.Takes(r) {
		t.Fatalf("the pool does not take request %d", i)
	}
	return r
}

// send makes requests of a method, with a body if it is not "".
func send(method, body string, fields ...string) func(int, string) *http.Request {
	return func(_ int, url string) *http.Request {
		var from io.Reader
		if body != "" {
			from = strings.NewReader(body)
		}
		r, err := http.NewRequest(method, url+"/path?q=1", from)
		if err != nil {
			panic(err)
		}
		for i := 0; i < len(fields); i += 2 {
			r.Header.Add(fields[i], fields[i+1])
		}
		return r
	}
}
