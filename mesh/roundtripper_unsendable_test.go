package mesh_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

// What cannot be sent at all says nothing of a host, and is tried once.
func TestNoHostIsBlamedForARequestThatCannotBeSent(t *testing.T) {
	spoil := map[string]func(r *http.Request){
		"a query with a control character": func(r *http.Request) { r.URL.RawQuery = "a=\x01" },
		"a path with a control character":  func(r *http.Request) { r.URL = &url.URL{Scheme: "http", Host: "play", Opaque: "/a\x01"} },
		"a method with a space":            func(r *http.Request) { r.Method = "GET IT" },
		"a header with a line break":       func(r *http.Request) { r.Header.Set("X-Text", "a\r\nb: c") },
		"a trailer with a line break":      func(r *http.Request) { r.ContentLength = -1; r.Trailer = http.Header{"X-Text": {"a\r\nb: c"}} },
		"a trailer that is none":           func(r *http.Request) { r.ContentLength = -1; r.Trailer = http.Header{"Content-Length": nil} },
		"a transfer coding":                func(r *http.Request) { r.TransferEncoding = []string{"chunked", "gzip"} },
		"a body that is too short":         func(r *http.Request) { r.ContentLength = 100 },
		"a body that is too long":          func(r *http.Request) { r.ContentLength = 1 },
		"a body, and no length":            func(r *http.Request) { r.Body, r.GetBody, r.ContentLength = nil, nil, 5 },
	}
	for name, f := range spoil {
		for _, again := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				s := startStage(t)
				c := carry(t, services{"play": s.addresses()}, false, mesh.Config{}, oneFailure)
				for range 5 {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://play/echo", strings.NewReader("some text"))
					if err != nil {
						t.Fatal(err)
					}
					if !again {
						r.Body, r.GetBody = io.NopCloser(strings.NewReader("some text")), nil
					}
					f(r)
					resp, err := c.RoundTrip(r)
					var e *mesh.Error
					if err == nil {
						_ = resp.Body.Close()
						t.Log("was sent")
					} else if !errors.As(err, &e) || e.Attempts > 1 {
						t.Errorf("got %v", err)
					}
				}
				c.mustBlame(t, 0)
				c.mustBeIdle(t)
			})
		}
	}
}
