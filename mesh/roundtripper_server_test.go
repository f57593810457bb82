package mesh_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A stageServer does what the path says; it counts tries by X-Id. Its twin does
// the same at another address.
type stageServer struct {
	*httptest.Server
	twin  *httptest.Server
	mu    sync.Mutex
	tries map[string]int
	ended chan struct{} // closed with the test, so that what stalls goes
}

func startStage(t *testing.T) *stageServer {
	t.Helper()
	s := &stageServer{tries: map[string]int{}, ended: make(chan struct{})}
	s.Server, s.twin = listen(t, http.HandlerFunc(s.serve)), listen(t, http.HandlerFunc(s.serve))
	t.Cleanup(func() { close(s.ended) })
	return s
}

// stageInMemory does the same for inPausedTime, where nothing stalls for ever.
func stageInMemory() http.HandlerFunc { return (&stageServer{tries: map[string]int{}}).serve }

// listen starts a server of HTTP/1.1 and of HTTP/2 in the clear.
func listen(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.ErrorLog = quiet()
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func quiet() *log.Logger { return slog.NewLogLogger(slog.DiscardHandler, 0) }

func (s *stageServer) addresses() []string {
	return []string{s.Listener.Addr().String(), s.twin.Listener.Addr().String()}
}

func (s *stageServer) try(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries[id]++
	return s.tries[id]
}

func (s *stageServer) serve(w http.ResponseWriter, r *http.Request) {
	n := s.try(r.Header.Get("X-Id"))
	w.Header().Set("X-Try", strconv.Itoa(n))
	w.Header().Set("X-Host", r.Host)
	switch r.URL.Path {
	case "/echo":
		echo(w, r)
	case "/flaky": // the first try fails
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, "not yet")
			return
		}
		echo(w, r)
	case "/broken":
		_, _ = io.Copy(io.Discard, r.Body)
		http.Error(w, "broken", http.StatusServiceUnavailable)
	case "/early": // answers without reading the body
		w.WriteHeader(http.StatusServiceUnavailable)
	case "/reset":
		panic(http.ErrAbortHandler)
	case "/stall":
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-s.ended:
		}
	case "/drip":
		s.drip(w, r)
	case "/hints":
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		echo(w, r)
	case "/empty":
		w.WriteHeader(http.StatusNoContent)
	case "/big":
		_, _ = io.CopyN(w, zeros{}, 4<<20)
	case "/cut": // promises more than it sends
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// echo answers with the request's body and trailers.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "X-Sum")
	_ = http.NewResponseController(w).EnableFullDuplex()
	n, _ := io.Copy(w, r.Body)
	w.Header().Set("X-Sum", fmt.Sprintf("%d %s", n, r.Trailer.Get("X-Sent")))
}

// drip sends one line, and another whenever the caller sends X-Drip.
func (s *stageServer) drip(w http.ResponseWriter, r *http.Request) {
	for i := range 1 << 20 {
		fmt.Fprintf(w, "data: %d\n\n", i)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-s.ended:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A carrier is a mesh to some servers, with one of its transports.
type carrier struct {
	*mesh.Transport
	mesh   *mesh.Mesh
	ledger *ledger // nil: the mesh's own wires
}

// services: name → addresses.
type services map[string][]string

// carry makes a mesh with rules. With a ledger, the base counts answers.
func carry(t *testing.T, where services, withLedger bool, cfg mesh.Config, documents ...string) *carrier {
	t.Helper()
	known := map[string][]discovery.Endpoint{}
	for name, addresses := range where {
		known[name] = nil
		for _, a := range addresses {
			known[name] = append(known[name], discovery.Endpoint{Address: a, Labels: map[string]string{"version": "v1"}})
		}
	}
	source, err := discovery.NewStatic(known)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Discovery, cfg.Rules = source, rules.Static(documents...)
	m, err := mesh.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	c := &carrier{mesh: m}
	if withLedger {
		c.ledger = &ledger{base: &http.Transport{ExpectContinueTimeout: 10 * time.Second}}
		c.Transport = m.Transport(c.ledger)
	} else {
		c.Transport = m.Transport(nil)
	}
	return c
}

// mustBeIdle: nothing is held any more.
func (c *carrier) mustBeIdle(t *testing.T) {
	t.Helper()
	eventually(t, "all is given back", func() bool {
		for _, cl := range c.mesh.Clusters() {
			if cl.Requests != 0 || cl.Pending != 0 || cl.Retries != 0 {
				return false
			}
			for _, e := range cl.Endpoints {
				if e.Active != 0 {
					return false
				}
			}
		}
		return true
	})
	if c.ledger != nil {
		c.ledger.mustBalance(t)
	}
}
