package mesh_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A house is the workload reviews: a server on a real socket, with a mesh before
// its handler.
type house struct {
	t       testing.TB
	ca      *tlsid.CA
	rules   *rules.Memory
	mesh    *mesh.Mesh
	address string
	dial    func(ctx context.Context, network, address string) (net.Conn, error) // nil: over the network
	diary   *diary
}

// open opens a house that obeys the documents. change may change its mesh; nil
// changes nothing.
func open(t testing.TB, change func(*mesh.Config), h http.Handler, documents ...string) *house {
	t.Helper()
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return openIn(t, ca, change, h, documents...)
}

// openIn is open under a CA that others share.
func openIn(t testing.TB, ca *tlsid.CA, change func(*mesh.Config), h http.Handler, documents ...string) *house {
	t.Helper()
	b := build(t, ca, change, documents...)
	lis, err := b.mesh.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.address = lis.Addr().String()
	serve(t, &http.Server{Handler: b.mesh.Handler(h)}, lis)
	return b
}

// openInside is openIn on a network in memory, for tests in paused time.
func openInside(t testing.TB, ca *tlsid.CA, change func(*mesh.Config), h http.Handler, documents ...string) *house {
	t.Helper()
	b := build(t, ca, change, documents...)
	street := &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
	lis, err := b.mesh.Protect(&berth{street})
	if err != nil {
		t.Fatal(err)
	}
	b.address = harbour
	b.dial = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		street.take(&moored{buffer(far)})
		return buffer(near), nil
	}
	serve(t, &http.Server{Handler: b.mesh.Handler(h)}, lis)
	return b
}

// build is a house without a door.
func build(t testing.TB, ca *tlsid.CA, change func(*mesh.Config), documents ...string) *house {
	t.Helper()
	b := &house{t: t, ca: ca, rules: rules.Static(documents...), diary: newDiary()}
	c := b.config()
	if change != nil {
		change(&c)
	}
	m, err := mesh.New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	b.mesh = m
	<-b.diary.rules // the first
	return b
}

func (b *house) config() mesh.Config {
	return mesh.Config{
		Workload: mesh.Workload{Service: "reviews", Labels: map[string]string{"app": "reviews"}},
		Rules:    b.rules,
		Identity: b.ca.Workload("reviews"),
		Observer: b.diary.observer(),
		Logger:   slog.New(slog.NewJSONHandler(b.diary, nil)),
	}
}

// serve serves until the test ends; HTTP/2 in the clear too.
func serve(t testing.TB, s *http.Server, lis net.Listener) {
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	s.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s.TLSConfig != nil {
			_ = s.ServeTLS(lis, "", "")
			return
		}
		_ = s.Serve(lis)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
}

// obey puts other documents in force.
func (b *house) obey(documents ...string) {
	b.t.Helper()
	if err := b.rules.Update(documents...); err != nil {
		b.t.Fatal(err)
	}
	if info := <-b.diary.rules; info.Err != nil {
		b.t.Fatal(info.Err)
	}
}

// A diary is what the mesh says.
type diary struct {
	rules chan mesh.RulesInfo

	mu     sync.Mutex
	access []mesh.AccessInfo
	said   strings.Builder // the log, and all that observers were told
}

func newDiary() *diary { return &diary{rules: make(chan mesh.RulesInfo, 1000)} }

func (d *diary) observer() mesh.Observer {
	return mesh.Observer{
		Rules: func(i mesh.RulesInfo) {
			d.note(i)
			d.rules <- i
		},
		Identity: func(i mesh.IdentityInfo) { d.note(i) },
		Access: func(i mesh.AccessInfo) {
			d.note(i)
			d.mu.Lock()
			defer d.mu.Unlock()
			d.access = append(d.access, i)
		},
	}
}

func (d *diary) note(info any) { fmt.Fprintf(d, "%v %+v %#v\n", info, info, info) }

// Write implements io.Writer.
func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.Write(p)
}

func (d *diary) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.String()
}

// takeAccess returns what was told of accesses since the last time.
func (d *diary) takeAccess() []mesh.AccessInfo {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.access
	d.access = nil
	return all
}

// A guest is a caller with connections of its own.
type guest struct {
	t      testing.TB
	client *http.Client
	url    string
	own    *tlsid.Current // nil: plaintext

	mu     sync.Mutex
	reused bool // the last request went over an open connection
}

// versions of HTTP that a guest speaks.
const (
	http1 = "http/1.1"
	http2 = "h2"
)

// versions are both.
var versions = []string{http1, http2}

// guest proves to be an account of the namespace default, or namespace/account.
func (b *house) guest(account, version string) *guest {
	b.t.Helper()
	own := new(tlsid.Current)
	own.Store(issue(b.t, b.ca, account))
	return b.guestWith(own, version, tlsid.Expect{})
}

func (b *house) guestWith(own *tlsid.Current, version string, expect tlsid.Expect) *guest {
	expect.NextProtos = []string{version}
	t := &http.Transport{TLSClientConfig: tlsid.ClientConfig(own, expect), Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP1(version == http1)
	t.Protocols.SetHTTP2(version == http2)
	return b.enter(t, own, "https://")
}

// stranger is a guest in plaintext.
func (b *house) stranger(version string) *guest {
	t := &http.Transport{Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP1(version == http1)
	t.Protocols.SetUnencryptedHTTP2(version == http2)
	return b.enter(t, nil, "http://")
}

func (b *house) enter(t *http.Transport, own *tlsid.Current, scheme string) *guest {
	b.t.Cleanup(t.CloseIdleConnections)
	t.DialContext = b.dial
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &guest{t: b.t, own: own, url: scheme + b.address, client: &http.Client{Transport: t, CheckRedirect: stay}}
}

func issue(t testing.TB, ca *tlsid.CA, account string) tlsid.Credential {
	t.Helper()
	namespace, name, ok := strings.Cut(account, "/")
	if !ok {
		namespace, name = "default", account
	}
	id, err := tlsid.ForWorkload(ca.Bundles().Domains()[0], namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ca.Issue(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// An answer is a response that was read.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

// send sends a request with these header lines.
func (g *guest) send(method, path string, header ...string) reply {
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.reused = i.Reused
	}}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), method, g.url+path, nil)
	if err != nil {
		return reply{err: err}
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Add(name, value)
	}
	resp, err := g.client.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(body), err}
}

// get wants a status; 0 is no answer.
func (g *guest) get(path string, want int, header ...string) reply {
	g.t.Helper()
	a := g.send(http.MethodGet, path, header...)
	if a.status != want {
		g.t.Errorf("GET %s: %d %q (%v), want %d", path, a.status, a.body, a.err, want)
	}
	return a
}

// getAgain is get over a connection that is open.
func (g *guest) getAgain(path string, want int, header ...string) reply {
	g.t.Helper()
	a := g.get(path, want, header...)
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.reused {
		g.t.Errorf("GET %s: the connection was not open", path)
	}
	return a
}

// hello answers with what it sees.
var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s", r.URL.Path, mesh.Peer(r.Context()).ID)
})

// rule is a document of the kind, in the namespace of the workload.
func rule(kind, name, spec string) string { return ruleIn("default", kind, name, spec) }

func ruleIn(namespace, kind, name, spec string) string {
	version := "security.istio.io/v1"
	if strings.HasPrefix(kind, "HTTPLocal") {
		version = "policy.linkerd.io/v1alpha1"
	}
	return "apiVersion: " + version + "\nkind: " + kind + "\nmetadata: {name: " + name + ", namespace: " + namespace + "}\nspec: " + spec + "\n"
}

func withoutIdentity(c *mesh.Config) { c.Identity = nil }
