package consulca_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/tlsid"
	"github.com/inmesh-go/inmesh/tlsid/consulca"
)

// hello serves connections, each with a greeting, until the test ends.
func hello(t *testing.T, lis net.Listener, peers chan<- tlsid.ID) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			greetOne(conn, peers)
		}
	}()
	t.Cleanup(func() { lis.Close(); <-done })
}

func greetOne(conn net.Conn, peers chan<- tlsid.ID) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte("hello")); err != nil {
		return // a probe that has gone, or a peer that was refused
	}
	if c, ok := conn.(*tls.Conn); ok {
		id, _ := tlsid.PeerOf(c.ConnectionState())
		peers <- id
	}
}

// converse asks again and again until somebody greets.
func converse(t *testing.T, dial func() (net.Conn, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var err error
	for {
		var text []byte
		if text, err = listen(dial); string(text) == "hello" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("nobody greets: %v", err)
		}
	}
}

func listen(dial func() (net.Conn, error)) ([]byte, error) {
	conn, err := dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	text := make([]byte, len("hello"))
	n, err := io.ReadFull(conn, text)
	return text[:n], err
}

func TestAProcessReachesAServiceBehindConsulsProxy(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	app, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	hello(t, app, nil)
	door := fmt.Sprintf("127.0.0.1:%d", consultest.FreePort(t))
	consultest.StartProxy(t, agent, "-service", "books", "-service-addr", app.Addr().String(), "-listen", door)

	web := start(t, consulca.New(dial(t, agent), "web"))
	domain := web.await("credential", whatever).ID().TrustDomain()
	books, err := tlsid.ParseID("spiffe://" + domain.String() + "/ns/default/dc/dc1/svc/books")
	must(t, err)
	config := tlsid.ClientConfig(&web.current, tlsid.Expect{IDs: []tlsid.ID{books}})
	converse(t, func() (net.Conn, error) { return tls.Dial("tcp", door, config) })
}

func TestConsulsProxyReachesAProcess(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	client := dial(t, agent)
	books := start(t, consulca.New(client, "books"))
	domain := books.await("credential", whatever).ID().TrustDomain()
	lis, err := tls.Listen("tcp", "127.0.0.1:0", tlsid.ServerConfig(&books.current, tlsid.Accept{}))
	must(t, err)
	peers := make(chan tlsid.ID, 100)
	hello(t, lis, peers)
	must(t, client.Agent().ServiceRegister(&api.AgentServiceRegistration{
		Name: "books", Address: "127.0.0.1", Port: lis.Addr().(*net.TCPAddr).Port,
		Connect: &api.AgentServiceConnect{Native: true},
	}))

	port := consultest.FreePort(t)
	consultest.StartProxy(t, agent, "-service", "web", "-upstream", fmt.Sprintf("books:%d", port))
	converse(t, func() (net.Conn, error) { return net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)) })
	if peer := <-peers; peer.String() != "spiffe://"+domain.String()+"/ns/default/dc/dc1/svc/web" {
		t.Errorf("the proxy is %s", peer)
	}
}
