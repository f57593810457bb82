package consul_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/tlsid/consulca"
)

func newMesh(t *testing.T, c mesh.Config) *mesh.Mesh {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := mesh.New(ctx, c)
	must(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// serve answers every request on a new port with the port's number, until the
// test ends.
func serve(t *testing.T) (port int) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port = lis.Addr().(*net.TCPAddr).Port
	serveOn(t, lis, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, port) }))
	return port
}

func serveOn(t *testing.T, lis net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(lis) // it ends with Close
	}()
	t.Cleanup(func() { server.Close(); <-done })
}

// A load of requests to reviews, some hundred a second, that counts who answers.
type traffic struct {
	t      *testing.T
	client *http.Client
	failed atomic.Int32
	mu     sync.Mutex
	last   map[string]time.Time // when each port has answered last
}

func drive(t *testing.T, m *mesh.Mesh) *traffic {
	tr := &traffic{t: t, client: &http.Client{Transport: m.Transport(nil)}, last: map[string]time.Time{}}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			tr.send(ctx)
			<-tick.C
		}
	})
	t.Cleanup(func() { cancel(); running.Wait(); tr.client.CloseIdleConnections() })
	return tr
}

func (tr *traffic) send(ctx context.Context) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://reviews/", nil)
	must(tr.t, err)
	begun := time.Now()
	resp, err := tr.client.Do(r)
	if err == nil {
		var port []byte
		port, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		tr.mu.Lock()
		tr.last[string(port)] = begun
		tr.mu.Unlock()
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		tr.failed.Add(1)
		tr.t.Log(err)
	}
}

// answered says whether a port has answered a request that was sent since then.
func (tr *traffic) answered(port int, since time.Time) bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.last[fmt.Sprint(port)].After(since)
}

// joins waits until a port gets requests.
func (tr *traffic) joins(why string, port int) {
	tr.t.Helper()
	start := time.Now()
	took := eventually(tr.t, why+": it gets requests", func() bool { return tr.answered(port, start) })
	tr.t.Logf("%s: it got requests after %v", why, took)
}

// leaves waits until a port has had no request for a while.
func (tr *traffic) leaves(why string, port int) {
	tr.t.Helper()
	start := time.Now()
	const quiet = 500 * time.Millisecond
	took := eventually(tr.t, why+": it gets none", func() bool {
		return time.Since(start) > quiet && !tr.answered(port, time.Now().Add(-quiet))
	})
	tr.t.Logf("%s: it got none after %v", why, took-quiet)
}

// Instances come, drain, are taken out for maintenance and go, while requests are
// sent: they follow, and none fails.
func TestRequestsFollowTheCatalogueAndNoneFails(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	client := dial(t, agent)
	instance := func(port int) *consul.Registration {
		return register(t, agent, consul.Service{
			Name: "reviews", Address: "127.0.0.1", Port: port, Drain: time.Second,
			Check: consul.Check{TTL: 2 * patience}, // longer than this machine pauses
		})
	}
	one, two := serve(t), serve(t)
	instance(one)
	m := newMesh(t, mesh.Config{Discovery: consul.Discovery(client), OutboundPolicy: mesh.RegistryOnly})
	load := drive(t, m)
	load.joins("the first", one)

	second := instance(two)
	load.joins("registered", two)
	second.Report(errors.New("not well"))
	load.leaves("critical", two)
	second.Report(nil)
	load.joins("well again", two)
	id := fmt.Sprint("reviews-127.0.0.1:", two)
	must(t, client.Agent().EnableServiceMaintenance(id, "a new disk"))
	load.leaves("in maintenance", two)
	must(t, client.Agent().DisableServiceMaintenance(id))
	load.joins("back from maintenance", two)
	for range 3 { // it flaps
		must(t, second.Close())
		second = instance(two)
	}
	load.joins("after it has flapped", two)
	go second.Close()
	load.leaves("drained", two)
	must(t, second.Close())
	if n := load.failed.Load(); n > 0 {
		t.Errorf("%d requests failed", n)
	}
}

// counted counts the connections that a listener accepts.
type counted struct {
	net.Listener
	n *atomic.Int32
}

func (c counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}

// Two meshes with identities of Consul's CA find each other in its catalogue and
// speak mutual TLS; an intention denies, and the next request on the same
// connection is refused.
func TestMeshesWithConnectIdentitiesObeyIntentions(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	client := dial(t, agent)
	books := newMesh(t, mesh.Config{
		Workload: mesh.Workload{Service: "reviews"},
		Identity: consulca.New(client, "reviews"),
		Access:   consul.Intentions(client, "reviews"),
	})
	lis, err := books.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	peers := make(chan string, 10000)
	var connections atomic.Int32
	serveOn(t, counted{lis, &connections}, books.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		peers <- mesh.Peer(r.Context()).ID.Path()
	})))
	register(t, agent, consul.Service{
		Name: "reviews", Address: "127.0.0.1", Port: lis.Addr().(*net.TCPAddr).Port, Connect: true, Drain: -1,
		Check: consul.Check{TTL: 2 * patience}, // longer than the agent's restart takes
	})

	discovery, err := consul.NewSource(client, consul.Config{Connect: true})
	must(t, err)
	web := newMesh(t, mesh.Config{
		Workload: mesh.Workload{Service: "web"}, Identity: consulca.New(client, "web"),
		Discovery: discovery, OutboundPolicy: mesh.RegistryOnly,
	})
	caller := &http.Client{Transport: web.Transport(nil)}
	defer caller.CloseIdleConnections()
	status := func() int {
		t.Helper()
		resp, err := caller.Get("http://reviews/")
		must(t, err)
		_, err = io.Copy(io.Discard, resp.Body) // or its connection is of no more use
		must(t, errors.Join(err, resp.Body.Close()))
		return resp.StatusCode
	}
	if got := status(); got != http.StatusOK || <-peers != "/ns/default/dc/dc1/svc/web" {
		t.Fatalf("before the intention: %d", got)
	}
	intend(t, client, "reviews", deny("web"))
	t.Logf("refused after %v", eventually(t, "the request is refused", func() bool { return status() == http.StatusForbidden }))
	if n := connections.Load(); n != 1 {
		t.Errorf("it took %d connections", n)
	}
	agent.Kill()
	eventually(t, "the trouble shows", func() bool { return books.Status().Access.Err != nil })
	if got := status(); got != http.StatusForbidden {
		t.Errorf("without the agent: %d", got)
	}
	agent.Restart()
	intend(t, client, "reviews", allow("web"))
	eventually(t, "the request is let in again", func() bool { return status() == http.StatusOK })
}
