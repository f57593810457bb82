package mesh_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
)

// An address that is no longer the service's may be somebody else's tomorrow.
func TestIdleConnectionsToAnEndpointThatIsWithdrawnAreClosed(t *testing.T) {
	closed := make(chan struct{}, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") }))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	other := httptest.NewServer(server.Config.Handler)
	defer other.Close()

	where, err := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": discovery.Addresses(server.Listener.Addr().String())})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mesh.New(t.Context(), mesh.Config{Discovery: where})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	resp, err := (&http.Client{Transport: m.Transport(nil)}).Get("http://reviews/")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if err := where.Set("reviews", discovery.Addresses(other.Listener.Addr().String())); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	select {
	case <-closed:
	case <-ctx.Done():
		t.Error("the connection is still open")
	}
}
