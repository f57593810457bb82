package consulca_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/tlsid"
	"github.com/inmesh-go/inmesh/tlsid/consulca"
)

// patience is how long a real agent may take, on a machine with much else to do.
// Agents renew the leaves of an old root at some time in the next 30 s.
const patience = 75 * time.Second

func dial(t *testing.T, agent *consultest.Agent) *api.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 10}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := api.NewClient(&api.Config{Address: agent.Address(), Transport: transport})
	must(t, err)
	return client
}

func must(t *testing.T, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

// A process is one that follows its identity.
type process struct {
	t       *testing.T
	current tlsid.Current
	news    chan tlsid.Credential
	errs    chan error
}

func start(t *testing.T, source tlsid.Source) *process {
	ctx, cancel := context.WithCancel(t.Context())
	p := &process{t: t, news: make(chan tlsid.Credential, 100), errs: make(chan error, 100)}
	var running sync.WaitGroup
	running.Go(func() {
		for c, err := range source.Watch(ctx) {
			if err != nil {
				p.errs <- err
				continue
			}
			p.current.Store(c)
			p.news <- c
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return p
}

// await returns the first credential that is as wanted.
func (p *process) await(what string, want func(tlsid.Credential) bool) tlsid.Credential {
	p.t.Helper()
	late := time.After(patience)
	for {
		select {
		case c := <-p.news:
			if want(c) {
				return c
			}
		case <-late:
			p.t.Fatalf("no %s; the trouble is %v", what, p.trouble())
		}
	}
}

func (p *process) trouble() (errs []error) {
	for {
		select {
		case err := <-p.errs:
			errs = append(errs, err)
		default:
			return errs
		}
	}
}

func (p *process) awaitError(text string) {
	p.t.Helper()
	late := time.After(patience)
	for {
		select {
		case err := <-p.errs:
			if strings.Contains(err.Error(), text) {
				return
			}
		case <-late:
			p.t.Fatalf("waited for an error that says %q", text)
		}
	}
}

func whatever(tlsid.Credential) bool { return true }

// greet lets a client talk to a server over mutual TLS, each once, and returns
// whom the server saw.
func greet(t *testing.T, client, server *process, expect tlsid.Expect) (tlsid.ID, error) {
	t.Helper()
	lis, err := tls.Listen("tcp", "127.0.0.1:0", tlsid.ServerConfig(&server.current, tlsid.Accept{}))
	must(t, err)
	defer lis.Close()
	seen := make(chan tlsid.ID, 1)
	go func() {
		defer close(seen)
		conn, err := lis.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if conn.(*tls.Conn).Handshake() == nil {
			id, _ := tlsid.PeerOf(conn.(*tls.Conn).ConnectionState())
			seen <- id
			_, _ = conn.Write([]byte("hello"))
		}
	}()
	conn, err := tls.Dial("tcp", lis.Addr().String(), tlsid.ClientConfig(&client.current, expect))
	if err == nil {
		defer conn.Close()
		_, err = io.ReadAll(conn)
	}
	lis.Close()
	return <-seen, err
}

func TestTwoServicesOfAClusterProveWhoTheyAre(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	web := start(t, consulca.New(dial(t, agent), "web"))
	books := start(t, consulca.New(dial(t, agent), "books"))
	c := web.await("credential of web", whatever)
	id := books.await("credential of books", whatever).ID()
	if path := c.ID().Path(); path != "/ns/default/dc/dc1/svc/web" || !strings.HasSuffix(c.ID().TrustDomain().String(), ".consul") {
		t.Errorf("web is %s", c.ID())
	}
	seen, err := greet(t, web, books, tlsid.Expect{IDs: []tlsid.ID{id}})
	if err != nil || seen != c.ID() {
		t.Errorf("books saw %s, %v", seen, err)
	}
	if _, err := greet(t, web, books, tlsid.Expect{IDs: []tlsid.ID{c.ID()}}); !errors.Is(err, tlsid.ErrUnexpected) {
		t.Errorf("books for web: %v", err)
	}
}

func TestAnotherRootIsTrustedBeforeAndAfterItsLeavesCome(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	client := dial(t, agent)
	web := start(t, consulca.New(client, "web"))
	first := web.await("credential", whatever)
	domain := first.ID().TrustDomain()

	rotate(t, client)
	both := web.await("credential with two roots", func(c tlsid.Credential) bool { return len(c.Bundles().Roots(domain)) == 2 })
	second := both
	if second.Certificate().Leaf.Equal(first.Certificate().Leaf) {
		second = web.await("leaf of the new root", func(c tlsid.Credential) bool { return !c.Certificate().Leaf.Equal(first.Certificate().Leaf) })
	}
	old, young := hold(t, first), hold(t, second)
	if _, err := greet(t, young, old, tlsid.Expect{}); err != nil {
		t.Logf("a process that has not heard of the root yet: %v (Consul's cross-signed intermediate should have vouched)", err)
		t.Fail()
	}
	if _, err := greet(t, hold(t, first.With(second.Bundles())), young, tlsid.Expect{}); err != nil {
		t.Errorf("a leaf of the old root, to a process that knows both: %v", err)
	}
}

// hold is a process with a credential that stays as it is.
func hold(t *testing.T, c tlsid.Credential) *process {
	p := &process{t: t}
	p.current.Store(c)
	return p
}

// rotate makes the cluster take another root: the built-in CA makes one when its
// key type changes.
func rotate(t *testing.T, client *api.Client) {
	t.Helper()
	config, _, err := client.Connect().CAGetConfig(nil)
	must(t, err)
	config.Config["PrivateKeyType"], config.Config["PrivateKeyBits"] = "ec", 384
	_, err = client.Connect().CASetConfig(config, nil)
	must(t, err)
}

func TestACredentialOutlivesItsAgent(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	web := start(t, consulca.New(dial(t, agent), "web"))
	first := web.await("credential", whatever)
	agent.Kill()
	web.awaitError("connection refused")
	if c, ok := web.current.Load(); !ok || c != first {
		t.Errorf("without its agent web has %v", c)
	}
	agent.Restart()
	web.await("credential again", whatever)
}

func TestATokenThatMayNotIsTold(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{Settings: map[string]any{
		"acl": map[string]any{"enabled": true, "default_policy": "deny"},
	}})
	web := start(t, consulca.New(dial(t, agent), "web"))
	web.awaitError("403")
}
