package mesh_test

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/authz"
)

const secret = "the secret"

// reveals serves the secret where private says so of what it reads in a request.
func reveals(private func(r *http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if private(r) {
			_, _ = io.WriteString(w, secret)
		}
	})
}

// all answers with the names of the readers that serve the secret.
func all(readers map[string]http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, h := range readers {
			heard := httptest.NewRecorder()
			h.ServeHTTP(heard, r.WithContext(r.Context()))
			if strings.Contains(heard.Body.String(), secret) {
				fmt.Fprintln(w, name)
			}
		}
	})
}

func always(*http.Request) bool { return true }

func isPrivate(p string) bool { return p == "/private" || strings.HasPrefix(p, "/private/") }

// readers are handlers that find out in different ways what a request is for.
func readers() map[string]http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/private/", reveals(always))
	mux.Handle("GET /private", reveals(always))
	mux.Handle("/public/", reveals(func(*http.Request) bool { return false }))
	wild := http.NewServeMux()
	wild.Handle("/{area}/{rest...}", reveals(func(r *http.Request) bool { return r.PathValue("area") == "private" }))
	files := http.FileServerFS(fstest.MapFS{
		"private/secret": {Data: []byte(secret), Mode: fs.ModePerm}, "public/page": {Data: []byte("page"), Mode: fs.ModePerm},
	})
	return map[string]http.Handler{
		"ServeMux": mux, "ServeMux by name": wild, "FileServer": files,
		"StripPrefix": http.StripPrefix("/private/", reveals(always)),
		"Path":        reveals(func(r *http.Request) bool { return isPrivate(r.URL.Path) }),
		"path.Clean":  reveals(func(r *http.Request) bool { return isPrivate(path.Clean(r.URL.Path)) }),
		"EscapedPath": reveals(func(r *http.Request) bool { return isPrivate(r.URL.EscapedPath()) }),
		"EscapedPath, decoded": reveals(func(r *http.Request) bool {
			p, err := url.PathUnescape(r.URL.EscapedPath())
			return err == nil && isPrivate(path.Clean(p))
		}),
		"URL.String": reveals(func(r *http.Request) bool { return isPrivate(strings.TrimPrefix(r.URL.String(), "http://reviews")) }),
		"RequestURI": reveals(func(r *http.Request) bool { return isPrivate(r.RequestURI) }),
		"RequestURI, parsed": reveals(func(r *http.Request) bool {
			u, err := url.Parse(r.RequestURI)
			return err == nil && isPrivate(path.Clean(u.Path))
		}),
		"RequestURI, decoded": reveals(func(r *http.Request) bool {
			p, _, _ := strings.Cut(r.RequestURI, "?")
			p, err := url.PathUnescape(p)
			return err == nil && isPrivate(path.Clean(strings.ReplaceAll(p, `\`, "/")))
		}),
	}
}

// tricks are request targets that might lead to /private/secret.
func pathTricks() (targets []string) {
	before := []string{
		"/", "//", "///", "/./", "/%2e/", "/%2E/", "/.//", `/\`, `\`, "/%5c", "/%2f", "/%2F", "/;/", "/;x/../", "/%3b/../", "/%09/../", "/%00/../",
		"/public/../", "/public//../", "/public/%2e%2e/", "/public/.%2e/", "/public/..%2f", "/public/..%5c", `/public/..\`, `/public\..\`, "/public%2f..%2f",
		"/public/x/../../", "/public/%2e%2e%2f", "/public/%252e%252e/", "/public;x=1/../", "/../", "/public/..;/", "/..//",
		"http://reviews/", "HTTP://reviews/", "http://reviews//", "http://reviews/public/../", "http://user@reviews/", "http:/", "http:", "http:///", "//reviews/", "reviews/", "?/../",
	}
	after := []string{
		"private/secret", "private", "private/", "%70rivate/secret", "privat%65/secret", "private%2fsecret", "private%2Fsecret", "private%5csecret", `private\secret`,
		"private//secret", "private/./secret", "private/x/../secret", "private/%2e/secret", "private/secret/", "private/secret/.", "private/secret?x=1", "private/secret#x", "private?/../public/",
		"private;x=1/secret", "private/secret;x", "private%3bx/secret", "private%00/secret", "private%20/secret", "private%/secret", "private%zz/secret", "private#/../public/", "private%23/secret",
		"PRIVATE/secret", "private/secret%3fx", "private/secret/%2e%2e/secret", "private%252fsecret", "private/..%2fprivate/secret",
	}
	for _, b := range before {
		for _, a := range after {
			targets = append(targets, b+a)
		}
	}
	return append(targets, "*", "", "/", "http://reviews", "http://reviews?/private/secret")
}

// A line is a connection on which anything can be said.
type line struct {
	t       testing.TB
	address string
	conn    net.Conn
	answers *bufio.Reader
}

// say sends the lines of a head and returns status and body of the answer; 0: the
// connection was closed instead.
func (l *line) say(lines ...string) (int, string) {
	if l.conn == nil {
		conn, err := net.Dial("tcp", l.address)
		if err != nil {
			l.t.Fatal(err)
		}
		l.conn, l.answers = conn, bufio.NewReader(conn)
	}
	if _, err := io.WriteString(l.conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		l.hangUp()
		return 0, ""
	}
	resp, err := http.ReadResponse(l.answers, nil)
	if err != nil {
		l.hangUp()
		return 0, ""
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.Close {
		l.hangUp()
	}
	return resp.StatusCode, string(body)
}

func (l *line) hangUp() {
	if l.conn != nil {
		_ = l.conn.Close()
		l.conn = nil
	}
}

func normalizing(n authz.Normalization) func(*mesh.Config) {
	return func(c *mesh.Config) { c.PathNormalization = n }
}

// No spelling of a path leads a handler to what the policies protect, whichever
// way it reads the request.
func TestNoSpellingOfAPathGetsPastThePolicies(t *testing.T) {
	protections := map[string]string{
		"DENY":         authorization("protect", "{action: DENY, rules: [{to: [{operation: {paths: [/private, /private/*]}}]}]}"),
		"ALLOW others": authorization("protect", "{rules: [{to: [{operation: {notPaths: [/private, /private/*]}}]}]}"),
		"ALLOW public": authorization("protect", "{rules: [{to: [{operation: {paths: [/public/*]}}]}]}"),
	}
	for _, n := range []authz.Normalization{authz.Base, authz.None, authz.MergeSlashes, authz.DecodeAndMergeSlashes} {
		b := open(t, normalizing(n), all(readers()))
		without := leaks(b)
		for name := range readers() {
			if len(without[name]) == 0 {
				t.Errorf("%v, %s: without a policy no spelling leads to the secret", n, name)
			}
		}
		for action, documents := range protections {
			b.obey(documents)
			for name, targets := range leaks(b) {
				t.Errorf("%v, %s, %s: %d of %d spellings lead to the secret: %q", n, action, name, len(targets), len(without[name]), targets[0])
			}
		}
	}
}

// A byte that stands for itself in no path hides no escaped slash: some routers go by
// RawPath, for which it is none.
func TestNoByteInAPathHidesAnEscapedSlash(t *testing.T) {
	b := open(t, nil, reveals(func(r *http.Request) bool {
		segments := strings.Split(cmp.Or(r.URL.RawPath, r.URL.Path), "/")
		return len(segments) == 3 && segments[1] == "files"
	}))
	l := &line{t: t, address: b.address}
	defer l.hangUp()
	leak := func() (found []string) {
		for _, end := range []string{"", "{", "}", `"`, "<", ">", "^", "`", "|", "\u00e9", "{..", "%7B{"} {
			target := "/files/a%2Fb" + end
			if _, body := l.say("GET "+target+" HTTP/1.1", "Host: reviews"); body == secret {
				found = append(found, target)
			}
		}
		return found
	}
	if found := leak(); len(found) != 12 {
		t.Errorf("without a policy only %q lead to the secret", found)
	}
	for _, documents := range []string{
		authorization("protect", "{action: DENY, rules: [{to: [{operation: {paths: ['/files/{*}']}}]}]}"),
		authorization("protect", "{rules: [{to: [{operation: {paths: ['/files/a/*']}}]}]}"),
	} {
		b.obey(documents)
		if found := leak(); found != nil {
			t.Errorf("%s: these lead to the secret: %q", documents, found)
		}
	}
}

// leaks are the targets that lead to the secret, by the reader that they deceive.
func leaks(b *house) map[string][]string {
	found := map[string][]string{}
	l := &line{t: b.t, address: b.address}
	defer l.hangUp()
	for _, target := range pathTricks() {
		status, body := l.say("GET "+target+" HTTP/1.1", "Host: reviews")
		for name := range strings.Lines(body) {
			if status == 200 {
				found[strings.TrimSpace(name)] = append(found[strings.TrimSpace(name)], target)
			}
		}
	}
	return found
}

// What can be read in two ways is refused, and said so.
func TestAmbiguousTargetsAreRefused(t *testing.T) {
	b := open(t, nil, hello)
	l := &line{t: t, address: b.address}
	defer l.hangUp()
	for _, c := range []struct {
		request, reason string
	}{
		{"GET /a#b HTTP/1.1", "fragment"},
		{"GET * HTTP/1.1", "* is for OPTIONS"},
		{"GET http:a HTTP/1.1", "it is no path"},
		{"GET /a/..%2fb HTTP/1.1", "path:"},
		{"GET /a%00 HTTP/1.1", "NUL"},
	} {
		b.diary.takeAccess()
		status, _ := l.say(c.request, "Host: reviews")
		told := b.diary.takeAccess()
		if status != 400 || len(told) != 1 || !strings.Contains(told[0].Reason, c.reason) {
			t.Errorf("%s: %d, told %+v, want 400 and %q", c.request, status, told, c.reason)
		}
	}
}

// A handler sees one path, wherever it looks: that which the policies saw.
func TestHandlersSeeThePathThatPoliciesSaw(t *testing.T) {
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s %s", r.URL.Path, r.URL.EscapedPath(), r.RequestURI, r.Host)
	})
	for _, c := range []struct {
		n            authz.Normalization
		target, want string
	}{
		{authz.Base, "/a/b?c=%2e", "/a/b /a/b /a/b?c=%2e reviews"},
		{authz.Base, "/a/../b", "/b /b /b reviews"},
		{authz.Base, "/a/%2e%2e/b?c", "/b /b /b?c reviews"},
		{authz.Base, `/a\b`, "/a/b /a/b /a/b reviews"},
		{authz.Base, "/a%5cb", `/a\b /a%5cb /a%5cb reviews`},
		{authz.Base, "/a%2fb", "/a/b /a%2fb /a%2fb reviews"},
		{authz.Base, "//a//b", "//a//b //a//b /.//a//b reviews"},
		{authz.Base, "http://reviews:80/a?b", "/a /a /a?b reviews:80"},
		{authz.Base, "http://reviews:80", "/ / / reviews:80"},
		{authz.Base, "http://reviews:80?b", "/ / /?b reviews:80"},
		{authz.Base, "/%c3%a9", "/é /%c3%a9 /%c3%a9 reviews"},
		{authz.MergeSlashes, "//a//./b", "/a/b /a/b /a/b reviews"},
		{authz.DecodeAndMergeSlashes, "/a%2f%5Cb", "/a/b /a/b /a/b reviews"},
		{authz.DecodeAndMergeSlashes, "/a%2fb", "/a/b /a/b /a/b reviews"},
		{authz.None, "//a/b%2f", "//a/b/ //a/b%2f /.//a/b%2f reviews"},
	} {
		b := open(t, normalizing(c.n), show)
		l := &line{t: t, address: b.address}
		if status, body := l.say("GET "+c.target+" HTTP/1.1", "Host: reviews"); status != 200 || body != c.want {
			t.Errorf("%v %s: %d %q, want %q", c.n, c.target, status, body, c.want)
		}
		l.hangUp()
	}
}
