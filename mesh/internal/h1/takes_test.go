package h1_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

func TestThePoolTakesWhatIsPlain(t *testing.T) {
	pool := h1.New(h1.Config{})
	for name, c := range map[string]struct {
		change func(r *http.Request)
		want   bool
	}{
		"as it is":              {func(*http.Request) {}, true},
		"no method":             {func(r *http.Request) { r.Method = "" }, true},
		"odd method":            {func(r *http.Request) { r.Method = "M-SEARCH" }, true},
		"bad method":            {func(r *http.Request) { r.Method = "GE T" }, false},
		"CONNECT":               {func(r *http.Request) { r.Method = http.MethodConnect }, false},
		"https":                 {func(r *http.Request) { r.URL.Scheme = "https" }, false},
		"opaque":                {func(r *http.Request) { r.URL.Opaque = "//a/b" }, false},
		"no host":               {func(r *http.Request) { r.URL.Host = "" }, false},
		"no URL":                {func(r *http.Request) { r.URL = nil }, false},
		"Host":                  {func(r *http.Request) { r.Host = "[::1]:80" }, true},
		"Host with a zone":      {func(r *http.Request) { r.Host = "[fe80::1%en0]:80" }, false},
		"Host in no ASCII":      {func(r *http.Request) { r.Host = "bücher.example" }, false},
		"Host with a slash":     {func(r *http.Request) { r.Host = "a/b" }, false},
		"control in the query":  {func(r *http.Request) { r.URL.RawQuery = "a=\r\n" }, false},
		"control in the path":   {func(r *http.Request) { r.URL.Path = "/a\r\n" }, true}, // it is escaped
		"no header":             {func(r *http.Request) { r.Header = nil }, false},
		"bad header name":       {func(r *http.Request) { r.Header["A B"] = nil }, false},
		"empty header name":     {func(r *http.Request) { r.Header[""] = nil }, false},
		"bad header value":      {func(r *http.Request) { r.Header["A"] = []string{"a\nb"} }, false},
		"tab in a header value": {func(r *http.Request) { r.Header["A"] = []string{"a\tb\xff"} }, true},
		"Upgrade":               {func(r *http.Request) { r.Header["Upgrade"] = []string{"h2c"} }, false},
		"uPGRADE":               {func(r *http.Request) { r.Header["uPGRADE"] = []string{"h2c"} }, false},
		"Expect":                {func(r *http.Request) { r.Header.Set("Expect", "100-continue") }, false},
		"a trailer":             {func(r *http.Request) { r.Trailer = http.Header{"A": nil} }, false},
		"a transfer encoding":   {func(r *http.Request) { r.TransferEncoding = []string{"identity"} }, false},
		"a length, and no body": {func(r *http.Request) { r.ContentLength = 3 }, false},
		"NoBody":                {func(r *http.Request) { r.Body = http.NoBody }, true},
		"a body":                {body(4, true), true},
		"a body of 64 KiB":      {body(64<<10, true), true},
		"a longer body":         {body(64<<10+1, true), false},
		"a body without length": {body(-1, true), false},
		"a body of length 0":    {body(0, true), false},
		"a body to be had once": {body(4, false), false},
		"traced":                {traced, false},
		"cancelled by channel":  {func(r *http.Request) { r.Cancel = make(chan struct{}) }, true}, //nolint:staticcheck // still obeyed
	} {
		r, _ := http.NewRequest(http.MethodGet, "http://a/b?c", nil)
		if c.change(r); pool.Takes(r) != c.want {
			t.Errorf("%s: taken: %v, want %v", name, !c.want, c.want)
		}
	}
}

func body(length int64, again bool) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("body")), length
		if again {
			r.GetBody = func() (io.ReadCloser, error) { return r.Body, nil }
		}
	}
}

func traced(r *http.Request) {
	*r = *r.WithContext(httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{}))
}

// The Pool does not change a request, and closes its body whatever comes.
func TestARequestIsNotChangedAndItsBodyClosed(t *testing.T) {
	s := startScript(t, always(ok))
	pool := h1.New(h1.Config{Dial: dialTCP, MaxRequests: 1})
	for _, address := range []string{s.url(), "http://127.0.0.1:1"} {
		closes := 0
		r := send("POST", "body", "X-A", "b")(0, address)
		r.Body = closer{strings.NewReader("body"), &closes}
		before, u, header := *r, *r.URL, r.Header.Clone()
		outcomeOf(pool, r)
		if r.Method != before.Method || r.Host != before.Host || *r.URL != u || r.Body != before.Body || r.Close != before.Close {
			t.Error("the request was changed")
		}
		if len(r.Header) != len(header) || r.Header.Get("X-A") != "b" {
			t.Errorf("header %v", r.Header)
		}
		if closes != 1 {
			t.Errorf("the body was closed %d times", closes)
		}
	}
}

type closer struct {
	io.Reader
	n *int
}

func (c closer) Close() error { *c.n++; return nil }
