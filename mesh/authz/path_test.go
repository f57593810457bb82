package authz_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/inmesh-go/inmesh/mesh/authz"
)

func TestNormalForms(t *testing.T) {
	const refused = ""
	for _, c := range []struct{ escaped, none, base, merge, decode string }{
		{"/", "/", "/", "/", "/"},
		{"/a/b", "/a/b", "/a/b", "/a/b", "/a/b"},
		{"/a/", "/a/", "/a/", "/a/", "/a/"},
		{"*", "*", "*", "*", "*"},
		{"/a;x=1", "/a;x=1", "/a;x=1", "/a;x=1", "/a;x=1"},
		{"/.a/..b/c..", "/.a/..b/c..", "/.a/..b/c..", "/.a/..b/c..", "/.a/..b/c.."},
		{"/caf%C3%A9", "/caf%C3%A9", "/caf%C3%A9", "/caf%C3%A9", "/caf%C3%A9"},
		{"/%61", "/%61", "/%61", "/%61", "/%61"},
		{"/a/./b", refused, "/a/b", "/a/b", "/a/b"},
		{"/a/../b", refused, "/b", "/b", "/b"},
		{"/../../b", refused, "/b", "/b", "/b"},
		{"/a/..", refused, "/", "/", "/"},
		{"/a/.", refused, "/a/", "/a/", "/a/"},
		{"/a/b/..", refused, "/a/", "/a/", "/a/"},
		{"/a/%2e%2E/b", refused, "/b", "/b", "/b"},
		{"/a/.%2e/b", refused, "/b", "/b", "/b"},
		{"/a//b", "/a//b", "/a//b", "/a/b", "/a/b"},
		{"//a///b//", "//a///b//", "//a///b//", "/a/b/", "/a/b/"},
		{"/a//../b", refused, "/a/b", "/a/b", "/a/b"}, // Envoy merges last
		{"/a//..//../b", refused, "/a/b", "/a/b", "/a/b"},
		{`/a\b`, `/a\b`, "/a/b", "/a/b", "/a/b"},
		{`/a\..\b`, refused, "/b", "/b", "/b"},
		{`\a`, refused, refused, refused, refused},
		{"", "/", "/", "/", "/"},
		{"/a%2fb", "/a%2fb", "/a%2fb", "/a%2fb", "/a/b"},
		{"/a%5Cb", "/a%5Cb", "/a%5Cb", "/a%5Cb", "/a/b"},
		{"/a%2F..%2Fb", refused, refused, refused, "/b"},
		{"/a/..%2Fb", refused, refused, refused, "/b"},
		{"/a/..%5cb", refused, refused, refused, "/b"},
		{"/a%2f%2e%2e", refused, refused, refused, "/"},
		{"/a/%252e%252e/b", "/a/%252e%252e/b", "/a/%252e%252e/b", "/a/%252e%252e/b", "/a/%252e%252e/b"},
		{"/a%00", refused, refused, refused, refused},
		{"/a%zz", refused, refused, refused, refused},
		{"/a%2", refused, refused, refused, refused},
		{"a", refused, refused, refused, refused},
	} {
		for n, want := range map[authz.Normalization]string{authz.None: c.none, authz.Base: c.base, authz.MergeSlashes: c.merge, authz.DecodeAndMergeSlashes: c.decode} {
			p, err := n.Path(c.escaped)
			if p.Escaped() != want || (err != nil) != (want == refused) {
				t.Errorf("%s of %s: %q, %v; want %q", n, c.escaped, p.Escaped(), err, want)
			}
			if decoded, _ := url.PathUnescape(p.Escaped()); p.Decoded() != decoded {
				t.Errorf("%s of %s: %q does not decode to %q", n, c.escaped, p.Escaped(), p.Decoded())
			}
		}
	}
}

func TestPathThatIsRefusedSaysWhy(t *testing.T) {
	for escaped, want := range map[string]string{
		"a":        "path: it does not begin with a slash",
		"/a%00":    `path: segment "a%00": NUL`,
		"/a%zz":    `path: segment "a%zz": bad percent-encoding`,
		"/..%2fb":  "path: it has a . or .. segment that BASE does not resolve",
		"/a/b%5c.": "path: it has a . or .. segment that BASE does not resolve",
	} {
		if _, err := authz.Base.Path(escaped); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", escaped, err, want)
		}
	}
}

func FuzzNormalFormIsStable(f *testing.F) {
	for _, s := range []string{"/a/b", "/a//b", "/a/../b", "/a%2f..", `/a\b%5c`, "/%2e%2e/", "/a%00", "//..//%2F"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		for _, n := range []authz.Normalization{authz.None, authz.Base, authz.MergeSlashes, authz.DecodeAndMergeSlashes} {
			p, err := n.Path(escaped)
			if err != nil {
				continue
			}
			again, err := n.Path(p.Escaped())
			if err != nil || again.Escaped() != p.Escaped() || again.Decoded() != p.Decoded() {
				t.Errorf("%s of %q is %q, and of that %q, %v", n, escaped, p.Escaped(), again.Escaped(), err)
			}
			if clean := path.Clean(p.Decoded()); n != authz.None && strings.Contains(clean, "/../") {
				t.Errorf("%s of %q climbs: %q", n, escaped, p.Decoded())
			}
		}
	})
}

func TestPathPatterns(t *testing.T) {
	on := func(paths ...string) (out []authz.Request) {
		for _, p := range paths {
			out = append(out, authz.Request{Path: pathOf(t, authz.Base, p)})
		}
		return out
	}
	check(t, []row{
		{operation(`paths: [/a/b]`), on("/a", "/a/b/", "/a/bc", "/A/b"), on("/a/b", "/a/./b", "/x/../a/b", "/%61/b")},
		{operation(`paths: ["/a/*"]`), on("/a", "/ab"), on("/a/", "/a/b/c")},
		{operation(`paths: ["*/b"]`), on("/b/", "/ab"), on("/b", "/a/b")},
		{operation(`paths: ["*"]`), []authz.Request{{}}, on("/", "/a")},
		{operation(`notPaths: ["/a/*"]`), on("/a/b"), append(on("/a", "/b"), authz.Request{})},
		{operation(`paths: ["/caf%C3%A9", "/tea house"]`), on("/cafe"), on("/caf%c3%a9", "/tea%20house")},
		{operation(`paths: ["/100%"]`), on("/100"), on("/100%25")},

		{operation(`paths: ["/a/{*}"]`), on("/a", "/a/", "/a/b/", "/a/b/c", "/b/a"), on("/a/b", "/a/%2a")},
		{operation(`paths: ["/a/{*}/c"]`), on("/a/b", "/a/c", "/a/b/d", "/a/b/b/c"), on("/a/b/c")},
		{operation(`paths: ["/{*}/b/{*}"]`), on("/b/c", "/a/b"), on("/a/b/c")},
		{operation(`paths: ["/a/{**}"]`), on("/a", "/ab"), on("/a/", "/a/b", "/a/b/c/")},
		{operation(`paths: ["/{*}/b/{**}"]`), on("/a/b", "/a/c/b/"), on("/a/b/", "/a/b/c/d")},
		{operation(`paths: ["/a/{**}/z"]`), on("/a/z", "/a/b/y"), on("/a/b/z", "/a/b/c/z")},
		{operation(`paths: ["/{**}"]`), []authz.Request{{}}, on("/", "/a/b")},
	})
}

// What can be read in several ways is matched in all of them.
func TestAmbiguousPathsAreReadTheStricterWay(t *testing.T) {
	for _, c := range []struct{ name, policy, path string }{
		{"denied with a double slash", denying(operation(`paths: [/a/b]`)), "/a//b"},
		{"denied with an escaped slash", denying(operation(`paths: [/a/b]`)), "/a%2Fb"},
		{"denied with an escaped backslash", denying(operation(`paths: [/a/b]`)), "/a%5cb"},
		{"denied with both", denying(operation(`paths: [/a/b]`)), "/a%2F/b"},
		{"denied as written", denying(operation(`paths: ["/a%2fb"]`)), "/a%2Fb"},
		{"denied as one segment", denying(operation(`paths: ["/users/{*}"]`)), "/users/a%2Fb"},
		{"denied as one segment, behind a double slash", denying(operation(`paths: ["/users/{*}"]`)), "/users//a%2Fb"},
		{"denied as one segment with a backslash", denying(operation(`paths: ["/users/{*}"]`)), "/users//a%5Cb"},
		{"must not be, with a double slash", allowing(operation(`notPaths: [/a/b]`)), "/a//b"},
		{"allowed in one reading only", allowing(operation(`paths: ["/users/{*}"]`)), "/users/a%2Fb"},
		{"allowed as written only", allowing(operation(`paths: ["/a//b"]`)), "/a//b"},
		{"denied all others, in one reading", denying(operation(`notPaths: ["/a/{*}"]`)), "/a/b%2Fc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if compile(t, c.policy).Decide(&authz.Request{Path: pathOf(t, authz.Base, c.path)}).Allowed {
				t.Errorf("%s is allowed", c.path)
			}
		})
	}
	both := compile(t, allowing(operation(`paths: ["/a/*"]`)))
	if !both.Decide(&authz.Request{Path: pathOf(t, authz.Base, "/a/b%2Fc")}).Allowed {
		t.Error("/a/b%2Fc is not allowed, though /a/* holds in all its readings")
	}
}

// A guard does with requests what a server must: policies see the path that the
// handler gets.
func guard(t testing.TB, p *authz.Policies, n authz.Normalization, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		normal, err := n.Path(r.URL.EscapedPath())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.URL.Path, r.URL.RawPath = normal.Decoded(), normal.Escaped()
		d := p.Decide(&authz.Request{Method: r.Method, Host: r.Host, Path: normal, Header: r.Header})
		if !d.Allowed {
			http.Error(w, d.Reason(), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

const secret = "the secret"

// handlers are ways to serve a secret under /private/secret (and /private/<id>),
// and other things elsewhere.
func handlers() map[string]http.Handler {
	reveal := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(secret)) })
	other := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("other")) })
	revealIf := func(is func(*http.Request) bool) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if is(r) {
				reveal.ServeHTTP(w, r)
			}
		})
	}
	exact, tree, wildcard := http.NewServeMux(), http.NewServeMux(), http.NewServeMux()
	exact.Handle("/private/secret", reveal)
	exact.Handle("/", other)
	tree.Handle("/private/", reveal)
	tree.Handle("/public/", other)
	wildcard.Handle("/private/{id}", reveal)
	wildcard.Handle("/{any...}", other)
	files := http.FileServerFS(fstest.MapFS{
		"private/secret": {Data: []byte(secret)},
		"public/page":    {Data: []byte("other")},
		"index.html":     {Data: []byte("other")},
	})
	return map[string]http.Handler{
		"a mux, exact":    exact,
		"a mux, subtree":  tree,
		"a mux, wildcard": wildcard,
		"a mounted mux":   http.StripPrefix("/app", exact),
		"files":           files,
		"mounted files":   http.StripPrefix("/app", files),
		"path.Clean":      revealIf(func(r *http.Request) bool { return path.Clean(r.URL.Path) == "/private/secret" }),
		"raw prefix":      revealIf(func(r *http.Request) bool { return strings.HasPrefix(r.URL.EscapedPath(), "/private/secret") }),
		"decoded prefix":  revealIf(func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/private/secret") }),
		"a proxy to Windows": revealIf(func(r *http.Request) bool {
			return path.Clean(strings.ReplaceAll(r.URL.Path, `\`, "/")) == "/private/secret"
		}),
	}
}

// tricks are ways to write /private/secret: with any two separators, and with
// anything else one at a time.
func tricks() (out []string) {
	separators := []string{"/", "//", "/./", "%2f", "%2F", `\`, "%5c", "/x/../", "/%2e/", "/x/%2E%2e/", "%2f.%2f", "/x%2f../", "/x%2f..%2f", "/%2e%2e/private/", "%2f%2f", ";/", "/;/"}
	for _, before := range separators {
		for _, between := range separators {
			out = append(out, before+"private"+between+"secret")
		}
		for _, word := range []string{"%70rivate", "PRIVATE", "private.", "private;x=1", "%2570rivate", "private%00", "private%20"} {
			out = append(out, "/"+word+before+"secret")
		}
		for _, after := range []string{"/", "/.", "/..", "%2f", ";x", ".", "%00", "/%2e", "//"} {
			out = append(out, "/private"+before+"secret"+after)
		}
	}
	return append(out, "/public/../private/secret", "/public/..%2fprivate/secret", "/public%2f..%2fprivate%2fsecret",
		`/public\..\private\secret`, "/public/%2e%2e/private/secret", "/public//../private/secret", "/%2e%2e/private/secret")
}

// None of the tricks gets at the secret past a policy that denies it, or one
// that allows another path only, whatever the handler and the normalization.
func TestPathTricksDoNotPass(t *testing.T) {
	policies := map[string]*authz.Policies{
		"DENY prefix":    compile(t, denying(operation(`paths: ["/private/*", "/app/private/*"]`))),
		"ALLOW notPaths": compile(t, allowing(operation(`notPaths: ["/private/*", "/app/private/*"]`))),
		"ALLOW others":   compile(t, allowing(operation(`paths: ["/public/*", "/app/public/*"]`))),
		"DENY template":  compile(t, denying(operation(`paths: ["/private/{**}", "/app/private/{**}"]`))),
		"DENY segment":   compile(t, denying(operation(`paths: ["/private/{*}", "/app/private/{*}"]`))),
		"DENY exact":     compile(t, denying(operation(`paths: [/private/secret, /app/private/secret]`))),
	}
	for name, handler := range handlers() {
		for rule, p := range policies {
			if !suffices(rule, name) {
				continue
			}
			for n := authz.Base; n <= authz.DecodeAndMergeSlashes; n++ {
				t.Run(name+"/"+rule+"/"+n.String(), func(t *testing.T) { tryTricks(t, guard(t, p, n, handler), mounts(name)) })
			}
		}
	}
}

// suffices reports whether a policy names all the paths under which the handler
// tells the secret. To a policy, /private/secret/ is another path.
func suffices(rule, handler string) bool {
	switch rule {
	case "DENY exact", "DENY segment":
		return strings.Contains(handler, "exact") || strings.Contains(handler, "mounted") || handler == "files" ||
			handler == "a mux, wildcard" && rule == "DENY segment"
	}
	return true
}

func mounts(handler string) []string {
	if strings.Contains(handler, "mounted") {
		return []string{"/app", "/app/public/..", "/app%2fpublic%2f.."}
	}
	return []string{"", "/public/.."}
}

func tryTricks(t *testing.T, h http.Handler, mounts []string) {
	for _, trick := range tricks() {
		for _, mount := range mounts {
			r, ok := requestFor(mount + trick)
			if !ok {
				continue // net/http would not take it
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if strings.Contains(w.Body.String(), secret) {
				t.Fatalf("%s: the handler was reached, as %s", mount+trick, r.URL.Path)
			}
		}
	}
}

func requestFor(target string) (*http.Request, bool) {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, false
	}
	return &http.Request{Method: "GET", URL: u, Host: "h", Header: http.Header{}, RequestURI: target}, true
}

// The tests above prove something: without a policy, each handler tells the
// secret to some of the tricks.
func TestPathTricksAreTricks(t *testing.T) {
	for name, handler := range handlers() {
		passed := 0
		for _, trick := range tricks() {
			if r, ok := requestFor(mounts(name)[0] + trick); ok && trick != "/private/secret" {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if strings.Contains(w.Body.String(), secret) {
					passed++
				}
			}
		}
		if passed == 0 && !strings.Contains(name, "exact") { // a mux redirects them
			t.Errorf("%s: no trick passes", name)
		}
	}
}
