package mesh_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"testing"
)

// net/http removes the files of a form when the handler has returned. What stands
// before the handler must not keep it from that: a disk would fill up.
func TestTheFilesOfAFormAreRemoved(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	files := func() int {
		all, err := os.ReadDir(dir)
		if err != nil {
			t.Error(err)
		}
		return len(all)
	}
	b := open(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil || files() != 1 {
			t.Errorf("%d files (%v), want one", files(), err)
		}
		fmt.Fprint(w, "thanks")
	}))
	for _, version := range versions {
		g := b.guest("productpage", version)
		body, kind := upload(t, 1<<16)
		resp, err := g.client.Post(g.url+"/upload", kind, body)
		if err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(resp.Body) // its end comes once the handler has returned
		_ = resp.Body.Close()
		if string(said) != "thanks" || files() != 0 {
			t.Errorf("%s: %q (%v), and %d files are left", version, said, err, files())
		}
	}
}

// upload is a form with one file.
func upload(t *testing.T, size int) (body io.Reader, kind string) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	file, err := form.CreateFormFile("picture", "picture.png")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.Write(make([]byte, size))
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return &b, form.FormDataContentType()
}

// In HTTP/1.1 a caller may send trailers that no header has announced.
func TestTrailersThatNobodyHasAnnouncedReachTheHandler(t *testing.T) {
	b := open(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %v", body, r.Trailer.Get("X-Sum"), err)
	}))
	for announced, header := range map[string]string{"announced": "Trailer: X-Sum", "unannounced": "X-Other: 1"} {
		l := &line{t: t, address: b.address}
		_, got := l.say("POST / HTTP/1.1", "Host: reviews", "Transfer-Encoding: chunked", header, "", "4", "body", "0", "X-Sum: 42")
		if want := "body 42 <nil>"; got != want {
			t.Errorf("%s: %q, want %q", announced, got, want)
		}
		l.hangUp()
	}
}

// A WebSocket goes on when the time for its answer is over, as the caller's end of it
// does. An offer of HTTP/2 is none: nobody takes it.
func TestWhatOutlivesItsAnswerHasNoDeadlineOfACallers(t *testing.T) {
	b := open(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, has := r.Context().Deadline()
		fmt.Fprint(w, has)
	}))
	l := &line{t: t, address: b.address}
	defer l.hangUp()
	for _, c := range []struct{ first, upgrade, want string }{
		{"GET / HTTP/1.1", "X-Upgrade: no", "true"},
		{"GET / HTTP/1.1", "Upgrade: websocket", "false"},
		{"GET / HTTP/1.1", "Upgrade: h2c", "true"},
		{"CONNECT reviews:80 HTTP/1.1", "X-Upgrade: no", "false"},
	} {
		if _, got := l.say(c.first, "Host: reviews:80", "Connection: Upgrade", c.upgrade, "X-Envoy-Expected-Rq-Timeout-Ms: 60000"); got != c.want {
			t.Errorf("%s, %s: it has a deadline: %q, want %s", c.first, c.upgrade, got, c.want)
		}
	}
}
