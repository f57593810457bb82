package mesh_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// eventually waits for what happens on another goroutine.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.After(time.Minute); !happened(); {
		select {
		case <-deadline:
			t.Errorf("never: %s", what)
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// A sentBody is a request's body that counts what is done to it.
type sentBody struct {
	io.Reader
	reads, closes atomic.Int32
	late          atomic.Bool // it was read after it was closed
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.reads.Add(1)
	if b.closes.Load() > 0 {
		b.late.Store(true)
	}
	return b.Reader.Read(p)
}

func (b *sentBody) Close() error {
	b.closes.Add(1)
	return nil
}

// onlyReader hides what else a reader can do.
type onlyReader struct{ io.Reader }

// A trailing body sets its request's trailer when it has been read.
type trailing struct {
	io.Reader
	set func()
}

func (b *trailing) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.set != nil {
		b.set()
		b.set = nil
	}
	return n, err
}

// A parcel is a request and all bodies that it was or will be sent with.
type parcel struct {
	*http.Request
	mu     sync.Mutex
	bodies []*sentBody
}

func newParcel(ctx context.Context, method, address string) *parcel {
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		panic(err)
	}
	r.Header = http.Header{"X-One": {"1"}, "X-Two": append(make([]string, 0, 8), "1", "2"), "Cookie": append(make([]string, 0, 4), "a=b")}
	r.Form = url.Values{"form": {"value"}}
	return &parcel{Request: r}
}

// with gives the request a body without a known length, which can be had once.
func (p *parcel) with(content io.Reader) *parcel {
	p.Body, p.ContentLength = p.track(content), -1
	return p
}

// withCopies gives it a body that can be had any number of times.
func (p *parcel) withCopies(length int64, content func() io.Reader) *parcel {
	p.Body, p.ContentLength = p.track(content()), length
	p.GetBody = func() (io.ReadCloser, error) { return p.track(content()), nil }
	return p
}

func (p *parcel) track(content io.Reader) *sentBody {
	b := &sentBody{Reader: content}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bodies = append(p.bodies, b)
	return b
}

// mustBeClosed: every body that was handed out, exactly once, and never read
// after that.
func (p *parcel) mustBeClosed(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, b := range p.bodies {
		eventually(t, "a request body is closed", func() bool { return b.closes.Load() > 0 })
		if n := b.closes.Load(); n != 1 {
			t.Errorf("body %d of %d was closed %d times", i+1, len(p.bodies), n)
		}
		if b.late.Load() {
			t.Errorf("body %d was read after it was closed", i+1)
		}
	}
}

// A picture is a request as it was at one moment.
type picture struct {
	request http.Request
	url     url.URL
	header  http.Header
	spare   map[string][]string // header values with what lies behind them in memory
	form    url.Values
	getBody bool
}

func pictureOf(r *http.Request) picture {
	p := picture{request: *r, url: *r.URL, header: r.Header.Clone(), spare: map[string][]string{}, form: maps.Clone(r.Form), getBody: r.GetBody != nil}
	for k, v := range r.Header {
		p.spare[k] = append([]string(nil), v[:cap(v)]...)
	}
	p.request.GetBody, p.request.Header, p.request.Form, p.request.Trailer = nil, nil, nil, nil
	return p
}

func (p picture) mustStillHold(t *testing.T, r *http.Request) {
	t.Helper()
	if now := pictureOf(r); !reflect.DeepEqual(now, p) {
		t.Errorf("the caller's request was changed\nfrom %+v\nto   %+v", p, now)
	}
}

// watch reads the request from other goroutines until the returned function is
// called; the race detector does the rest.
func watch(r *http.Request) (stop func()) {
	over := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				_ = pictureOf(r)
				select {
				case <-over:
					return
				case <-time.After(50 * time.Microsecond):
				}
			}
		})
	}
	return func() { close(over); readers.Wait() }
}

// A ledger is a base RoundTripper that counts the answers that it opened and
// that were closed.
type ledger struct {
	base   http.RoundTripper
	opened atomic.Int32
	open   atomic.Int32
}

var errBaseBroke = errors.New("ledger: neither or both of answer and error")

func (l *ledger) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.base.RoundTrip(r)
	if (resp == nil) == (err == nil) {
		return nil, errBaseBroke
	}
	if err != nil {
		return nil, err
	}
	l.opened.Add(1)
	if resp.Body != http.NoBody {
		l.open.Add(1)
		entry := &entry{ReadCloser: resp.Body, ledger: l}
		resp.Body = entry
		if w, ok := entry.ReadCloser.(io.Writer); ok {
			resp.Body = struct {
				*entryAlias
				io.Writer
			}{(*entryAlias)(entry), w}
		}
	}
	return resp, nil
}

func (l *ledger) CloseIdleConnections() { l.base.(*http.Transport).CloseIdleConnections() }

func (l *ledger) mustBalance(t *testing.T) {
	t.Helper()
	eventually(t, "every answer is closed", func() bool { return l.open.Load() == 0 })
}

// An entry is one answer's body.
type entry struct {
	io.ReadCloser
	ledger *ledger
	once   sync.Once
}

func (e *entry) Close() error {
	e.once.Do(func() { e.ledger.open.Add(-1) })
	return e.ReadCloser.Close()
}

type entryAlias entry

func (e *entryAlias) Close() error { return (*entry)(e).Close() }
