package mesh_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

// A phone book dials the listeners that stand behind made-up addresses, and
// notes what was asked for.
type phoneBook struct {
	mu    sync.Mutex
	real  map[string]string
	asked []string
}

func (b *phoneBook) dial(ctx context.Context, network, address string) (net.Conn, error) {
	b.mu.Lock()
	b.asked = append(b.asked, network+" "+address)
	at, ok := b.real[address]
	b.mu.Unlock()
	if ok {
		address = at
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

func whoIs() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host, " ", r.URL.Path, " ", r.Proto) })
}

// Endpoints are reached by address, by name and by socket; the Host that the
// server sees is the caller's.
func TestEndpointsOfEveryKindAreReached(t *testing.T) {
	s := listen(t, whoIs())
	address := s.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	for endpoint, dialled := range map[string]string{
		address:             "tcp " + address,
		"localhost:" + port: "tcp localhost:" + port,
		"[2001:db8::7]:80":  "tcp [2001:db8::7]:80",
	} {
		t.Run(endpoint, func(t *testing.T) {
			book := &phoneBook{real: map[string]string{"[2001:db8::7]:80": address}}
			c := carry(t, services{"play": {endpoint}}, false, mesh.Config{DialContext: book.dial})
			if got := textOf(t, mustAnswer(t, c, get(t.Context(), "http://play/path").Request)); got != "play /path HTTP/1.1" {
				t.Errorf("got %q", got)
			}
			if len(book.asked) != 1 || book.asked[0] != dialled {
				t.Errorf("dialled %q, want %q", book.asked, dialled)
			}
		})
	}
}

func textOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	_ = resp.Body.Close()
	return string(text)
}

// An endpoint that is a host name that answers at no address, and an IPv6
// address, in a URL.
func TestAHostThatIsAnAddressPassesThrough(t *testing.T) {
	s := listen(t, whoIs())
	c := carry(t, nil, false, mesh.Config{})
	if got := textOf(t, mustAnswer(t, c, get(t.Context(), s.URL+"/path").Request)); !strings.HasPrefix(got, "127.0.0.1:") {
		t.Errorf("got %q", got)
	}
}

func TestUnixSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a socket.sock")
	lis, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: lis, Config: &http.Server{Handler: whoIs()}}
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	for proto, documents := range map[string][]string{"HTTP/1.1": nil, "HTTP/2.0": {streamRegimes["h2c"][1]}} {
		t.Run(proto, func(t *testing.T) {
			var count connCount
			c := carry(t, services{"play": {"unix://" + path}}, false, mesh.Config{DialContext: count.dial}, documents...)
			for range 3 {
				if got := textOf(t, mustAnswer(t, c, get(t.Context(), "http://play/path").Request)); got != "play /path "+proto {
					t.Errorf("got %q", got)
				}
			}
			if c.mesh.Clusters()[0].Endpoints[0].Address != "unix://"+path {
				t.Errorf("endpoint %v", c.mesh.Clusters()[0].Endpoints)
			}
			c.mustBeIdle(t)
		})
	}
}

func TestAUnixSocketThatNobodyServesIsAConnectFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.sock")
	c := carry(t, services{"play": {"unix://" + path}}, false, mesh.Config{})
	err := mustFail(t, c, get(t.Context(), "http://play/").Request, mesh.ErrConnect)
	if err.Endpoint != "unix://"+path || !strings.Contains(err.Error(), path) {
		t.Errorf("the socket is not named: %v", err)
	}
}
