package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

// A reader reads a tap over a real connection.
type reader struct {
	t    *testing.T
	resp *http.Response
	in   *bufio.Reader
	stop context.CancelFunc
}

// tap listens, and returns when it does.
func (s *scene) tap(path string) *reader {
	s.t.Helper()
	server := httptest.NewServer(s.pages)
	s.t.Cleanup(server.Close)
	ctx, stop := context.WithTimeout(context.Background(), patience)
	s.t.Cleanup(stop) // before the server waits for it
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	got := &reader{s.t, resp, bufio.NewReader(resp.Body), stop}
	if resp.StatusCode == http.StatusOK {
		if name, _ := got.event(); name != "hello" {
			s.t.Fatalf("it begins with %s", name)
		}
	}
	return got
}

// end hangs up.
func (r *reader) end() {
	r.stop()
	_ = r.resp.Body.Close()
}

// event is the next one's name and data; "" at the end.
func (r *reader) event() (name, data string) {
	for {
		line, err := r.in.ReadString('\n')
		if err != nil {
			return name, data
		}
		switch key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); key {
		case "event":
			name = value
		case "data":
			data = value
		case "":
			return name, data
		}
	}
}

// until reads to the first request whose event has the text, and returns all.
func (r *reader) until(text string) (all string) {
	r.t.Helper()
	for {
		name, data := r.event()
		all += data + "\n"
		switch {
		case name == "":
			r.t.Fatalf("it ends before %q:\n%s", text, all)
		case name == "request" && strings.Contains(data, text):
			return all
		}
	}
}

// request is the next request.
func (r *reader) request() (e mesh.TapEvent) {
	r.t.Helper()
	name, data := "beat", ""
	for name == "beat" {
		name, data = r.event()
	}
	if name != "request" {
		r.t.Fatalf("%q %s", name, data)
	}
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		r.t.Fatal(err)
	}
	return e
}

// inbound has the mesh's own server get a request, which it answers with 200.
func (s *scene) inbound(target string, h http.Header) {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://productpage"+target, nil)
	r.Header = h
	w := httptest.NewRecorder()
	s.mesh.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%d %s", w.Code, w.Body)
	}
}
