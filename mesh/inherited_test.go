package mesh_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The time of a try is that to its headers: whoever has those waits for the rest, and
// the handler is to go on.
func TestAnAnswerMayTakeLongerThanItsHeaders(t *testing.T) {
	begins := map[string]func(http.ResponseWriter){
		"a flush":  func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		"a status": func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK); w.(http.Flusher).Flush() },
		"a byte":   func(w http.ResponseWriter) { _, _ = io.WriteString(w, "."); w.(http.Flusher).Flush() },
		"a copy":   func(w http.ResponseWriter) { _, _ = io.Copy(w, new(drops)) },
	}
	for name, begin := range begins {
		play(t, []string{route("reviews", "retries: {attempts: 1, perTryTimeout: 2s, retryOn: 5xx}")}, func(s *scene) {
			var ended, derived error
			s.fleet.Start("reviews", s.mesh.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if at, ok := r.Context().Deadline(); !ok || time.Until(at) != 2*time.Second {
					t.Errorf("%s: told %v, %t", name, at, ok)
				}
				ctx, cancel := context.WithCancel(r.Context())
				defer cancel()
				<-time.After(time.Second)
				begin(w)
				select {
				case <-ctx.Done():
				case <-time.After(time.Minute):
				}
				ended, derived = r.Context().Err(), ctx.Err()
				if at, ok := r.Context().Deadline(); ok {
					t.Errorf("%s: still told %v", name, at)
				}
				_, _ = io.WriteString(w, "all")
			})), nil)
			if a := s.get("http://reviews/"); !strings.HasSuffix(a.body, "all") || ended != nil || derived != nil {
				t.Errorf("%s: got %q (%v), the handler's context had ended by %v, %v", name, a.body, a.err, ended, derived)
			}
		})
	}
}

// Drops are a reader that gives more than is kept back, each second.
type drops struct{ fallen int }

func (d *drops) Read(p []byte) (int, error) {
	if d.fallen++; d.fallen > 5 {
		return 0, io.EOF
	}
	if d.fallen > 1 {
		<-time.After(time.Second)
	}
	clear(p)
	return len(p), nil
}

// Until then it holds, for what is derived from it too.
func TestAHandlerThatDoesNotAnswerEndsWithItsCallersPatience(t *testing.T) {
	play(t, nil, func(s *scene) {
		told := make(chan error, 2)
		s.fleet.Start("page", s.mesh.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			w.WriteHeader(http.StatusEarlyHints) // is no answer yet
			<-ctx.Done()
			told <- ctx.Err()
			told <- context.Cause(r.Context())
		})), nil)
		began := time.Now()
		s.get("http://page/", "X-Envoy-Expected-Rq-Timeout-Ms", "250")
		s.took(began, 250*time.Millisecond)
		for range 2 {
			if err := <-told; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it ended by %v", err)
			}
		}
	})
}

// Who has answered is told when its caller hangs up.
func TestWhoAnswersAtLengthEndsWithItsCaller(t *testing.T) {
	play(t, []string{route("reviews", "timeout: 3s")}, func(s *scene) {
		left := make(chan time.Time, 1)
		s.fleet.Start("reviews", s.mesh.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			left <- time.Now()
		})), nil)
		began := time.Now()
		s.get("http://reviews/")
		if at := (<-left).Sub(began); at != 3*time.Second {
			t.Errorf("it went on for %v, want 3 s", at)
		}
	})
}

// What a handler passes on while it answers goes on as it does, whatever its own rules
// say of a try.
func TestWhatAHandlerPassesOnMayTakeLongerThanItsHeaders(t *testing.T) {
	page := route("page", "retries: {attempts: 1, perTryTimeout: 2s, retryOn: 5xx}")
	play(t, []string{page, route("reviews", "retries: {attempts: 1, perTryTimeout: 1s, retryOn: 5xx}")}, func(s *scene) {
		s.start("reviews", "r").plays(func(w http.ResponseWriter, _ *http.Request, _ int) {
			_ = http.NewResponseController(w).Flush()
			<-time.After(time.Minute)
			_, _ = io.WriteString(w, "all")
		})
		s.fleet.Start("page", s.mesh.Handler(proxyTo("reviews", s.client.Transport)), nil)
		if a := s.get("http://page/"); a.body != "all" {
			t.Errorf("got %q, %v", a.body, a.err)
		}
	})
}

// The route's own timeout stands, also where it is longer than the caller's patience.
func TestWhatAHandlerPassesOnEndsWithTheRoutesTime(t *testing.T) {
	page := route("page", "retries: {attempts: 1, perTryTimeout: 2s, retryOn: 5xx}")
	play(t, []string{page, route("reviews", "timeout: 30s")}, func(s *scene) {
		hungUp := make(chan time.Time, 1)
		s.start("reviews", "r").plays(func(w http.ResponseWriter, r *http.Request, _ int) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			hungUp <- time.Now()
		})
		s.fleet.Start("page", s.mesh.Handler(proxyTo("reviews", s.client.Transport)), nil)
		began := time.Now()
		s.get("http://page/")
		s.took(began, 30*time.Second)
		if at := (<-hungUp).Sub(began); at != 30*time.Second {
			t.Errorf("it went on for %v, want 30 s", at)
		}
	})
}

func proxyTo(host string, by http.RoundTripper) http.Handler {
	to := &url.URL{Scheme: "http", Host: host}
	return &httputil.ReverseProxy{Transport: by, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
}

// A handler that takes the connection answers by itself.
func TestWhoTakesTheConnectionMayTakeLonger(t *testing.T) {
	play(t, nil, func(s *scene) {
		var ended error
		s.fleet.Start("page", s.mesh.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			defer conn.Close()
			select {
			case <-r.Context().Done():
			case <-time.After(time.Minute):
			}
			ended = r.Context().Err()
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall")
		})), nil)
		if a := s.get("http://page/", "X-Envoy-Expected-Rq-Timeout-Ms", "250"); a.body != "all" || ended != nil {
			t.Errorf("got %q (%v), the handler's context had ended by %v", a.body, a.err, ended)
		}
	})
}
