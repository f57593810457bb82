package mesh_test

import (
	"errors"
	"fmt"
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
		"an opaque URL that is no path":    func(r *http.Request) { r.URL = &url.URL{Scheme: "http", Host: "play", Opaque: "echo"} },
		"a path that a rule spoils":        func(r *http.Request) { r.URL.Path = "/spoilt/echo" },
		"a host with a space":              func(r *http.Request) { r.URL.Path = "/hosted/echo"; r.Header.Set("X-Host", "play me") },
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
		for _, how := range []struct{ again, http2 bool }{{true, false}, {false, false}, {true, true}, {false, true}} {
			t.Run(fmt.Sprintf("%s %+v", name, how), func(t *testing.T) {
				s, policy := startStage(t), oneFailure
				if how.http2 {
					policy = strings.Replace(policy, "trafficPolicy: {", "trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE}}, ", 1)
				}
				c := carry(t, services{"play": s.addresses()}, false, mesh.Config{}, policy,
					playRule(`[{match: [{uri: {prefix: /spoilt}}], rewrite: {uriRegexRewrite: {match: "^/spoilt/", rewrite: "un"}}, route: [{destination: {host: play}}]}, {match: [{uri: {prefix: /hosted}}], headers: {request: {set: {":authority": "%REQ(x-host)%"}}}, route: [{destination: {host: play}}]}, {route: [{destination: {host: play}}]}]`))
				for range 5 {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://play/echo", strings.NewReader("some text"))
					if err != nil {
						t.Fatal(err)
					}
					if !how.again {
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

// HTTP/2 would carry it, and a server answers it by ending the connection, with all
// that others have under way there.
func TestARequestThatCannotBeSentEndsNobodysConnection(t *testing.T) {
	s := startStage(t)
	c := carry(t, services{"play": s.addresses()}, false, mesh.Config{}, policy("play", "{connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}"))
	var under []*http.Response
	for range len(s.addresses()) {
		under = append(under, mustAnswer(t, c, get(t.Context(), "http://play/drip").Request))
	}
	for range 20 {
		r := get(t.Context(), "http://play/echo").Request
		r.URL.RawQuery = "a=\x01"
		mustFail(t, c, r)
	}
	for _, resp := range under {
		if resp.ProtoMajor != 2 {
			t.Error(resp.Proto)
		}
		if _, err := io.CopyN(io.Discard, resp.Body, 10); err != nil {
			t.Errorf("an answer broke off: %v", err)
		}
		_ = resp.Body.Close()
	}
}
