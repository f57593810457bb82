package mesh_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// handed is a source whose credentials the test hands out.
type handed struct {
	ca   *tlsid.CA
	name string
	next chan tlsid.Credential
}

// renew makes another credential of the authority; the workload follows it.
func (h *handed) renew(t *testing.T) {
	t.Helper()
	id, err := tlsid.ParseID(accountOf(h.name))
	if err != nil {
		t.Fatal(err)
	}
	c, err := h.ca.Issue(id)
	if err != nil {
		t.Fatal(err)
	}
	h.next <- c
}

// Watch implements tlsid.Source.
func (h *handed) Watch(ctx context.Context) iter.Seq2[tlsid.Credential, error] {
	return func(yield func(tlsid.Credential, error) bool) {
		for {
			select {
			case c := <-h.next:
				if !yield(c, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// rotating plays a scenario in which the client's credentials are handed out.
func rotating(t *testing.T, documents []string, run func(*scene, *handed)) {
	t.Helper()
	var source *handed
	playWith(t, documents, func(s *scene, c *mesh.Config) {
		source = &handed{s.fleet.CA(), "productpage", make(chan tlsid.Credential, 1)}
		source.renew(s.T)
		c.Identity = source
	}, func(s *scene) { run(s, source) })
}

// After a rotation requests take new connections, which prove the new credential.
// Those that carry nothing are closed at once, without waiting for a request; one
// that carries a request, when it has done so.
func TestConnectionsDoNotOutliveACredential(t *testing.T) {
	for _, settings := range []string{"{tcp: {maxConnections: 9}}", upgradePolicy} {
		rotating(t, pooled(settings), func(s *scene, own *handed) {
			server := s.sentry("10.9.0.1:80", s.workload(s.fleet.CA(), accountOf("reviews"), "h2", "http/1.1"))
			s.known("reviews", discovery.Endpoint{Address: server.address, Identity: accountOf("reviews")})
			s.want(s.get("http://reviews/"), "200")
			s.want(s.get("http://reviews/"), "200")
			_, open := s.cables.counts()
			if open != 1 {
				t.Errorf("%d connections stand, want 1", open)
			}
			slow, err := s.client.Get("http://reviews/slow")
			if err != nil {
				t.Fatal(err)
			}
			own.renew(s.T)
			synctest.Wait()
			if _, open = s.cables.counts(); open != 1 {
				t.Errorf("%d connections stand while one carries an answer, want 1", open)
			}
			s.want(s.get("http://reviews/"), "200")
			if _, open = s.cables.counts(); open != 2 {
				t.Errorf("%d connections stand, want the old and the new", open)
			}
			close(server.goOn)
			if _, err := io.Copy(io.Discard, slow.Body); err != nil {
				t.Errorf("the old connection broke: %v", err)
			}
			_ = slow.Body.Close()
			s.pass(time.Second)
			if _, open = s.cables.counts(); open != 1 {
				t.Errorf("%d connections stand after the old one has done its work, want 1", open)
			}
			own.renew(s.T)
			synctest.Wait()
			if _, open = s.cables.counts(); open != 0 {
				t.Errorf("%d idle connections outlive their credential", open)
			}
			s.client.CloseIdleConnections()
		})
	}
}

// A server whose root is no longer trusted was trusted on an open connection; the
// next request looks again.
func TestARootThatIsRemovedIsNotTrustedOnOpenConnections(t *testing.T) {
	rotating(t, []string{unretried("reviews")}, func(s *scene, own *handed) {
		server := s.sentry("10.9.0.1:80", s.workload(s.fleet.CA(), accountOf("reviews")))
		s.known("reviews", discovery.Endpoint{Address: server.address, Identity: accountOf("reviews")})
		s.want(s.get("http://reviews/"), "200")
		another, err := tlsid.NewCA(tlsid.CAConfig{})
		if err != nil {
			t.Fatal(err)
		}
		own.ca = another
		own.renew(s.T)
		synctest.Wait()
		a := s.get("http://reviews/")
		s.want(a, mesh.ErrConnect.Error())
		if !errors.Is(a.err, tlsid.ErrUntrusted) {
			t.Errorf("%v is not tlsid.ErrUntrusted", a.err)
		}
		s.client.CloseIdleConnections()
	})
}

// Connections that no credential has a part in stay.
func TestARotationLeavesOtherConnectionsAlone(t *testing.T) {
	for _, mode := range []string{"DISABLE", "SIMPLE, insecureSkipVerify: true"} {
		rotating(t, []string{unretried("reviews"), policy("reviews", "{tls: {mode: "+mode+"}}")}, func(s *scene, own *handed) {
			var config *tls.Config
			if mode != "DISABLE" {
				config = &tls.Config{Certificates: []tls.Certificate{newAuthority(s.T).issue(s.T, "reviews")}}
			}
			server := s.sentry("10.9.0.1:80", config)
			s.endpoints("reviews", server.address)
			s.want(s.get("http://reviews/"), "200")
			own.renew(s.T)
			synctest.Wait()
			s.want(s.get("http://reviews/"), "200")
			s.connections(1, 1)
			s.client.CloseIdleConnections()
		})
	}
}

// Ten thousand requests over loopback, in HTTP/1.1 and HTTP/2, and some more while both
// sides' certificates rotate every three seconds and the root rotates once. None fails,
// and all are made by a workload that has proven itself. The clock is the real one, and
// the machine may be busy: a certificate has three seconds left when the next one comes.
func TestNoRequestFailsWhileCredentialsRotate(t *testing.T) {
	const requests, callers = 5000, 8
	for protocol, settings := range map[string]string{"HTTP/1.1": "{tcp: {maxConnections: 1024}}", "HTTP/2.0": upgradePolicy} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			ca, err := tlsid.NewCA(tlsid.CAConfig{LeafLifetime: 6 * time.Second, Announce: 4 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			server, peers := rotatingServer(t, ca)
			source, err := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": {{Address: server, Identity: accountOf("reviews")}}})
			if err != nil {
				t.Fatal(err)
			}
			var rotations atomic.Int64
			m, err := mesh.New(t.Context(), mesh.Config{
				Rules:     rules.Static(pooled(settings)...),
				Discovery: source,
				Identity:  ca.Workload("productpage"),
				Observer:  mesh.Observer{Identity: func(mesh.IdentityInfo) { rotations.Add(1) }},
			})
			if err != nil {
				t.Fatal(err)
			}
			client := &http.Client{Transport: m.Transport(nil)}
			defer func() { _ = m.Close() }()
			before := ca.Bundles()
			if err := ca.Rotate(); err != nil {
				t.Fatal(err)
			}
			late := time.Now().Add(2 * time.Minute)
			var sent atomic.Int64
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					// At the end, the root of the beginning is not trusted any more.
					for sent.Add(1) <= requests || (rotations.Load() < 6 || both(before, ca.Bundles())) && time.Now().Before(late) {
						if err := call(client, protocol); err != nil {
							t.Error(err)
							return
						}
						if sent.Load() > requests {
							<-time.After(5 * time.Millisecond) // others have work to do, too
						}
					}
				})
			}
			all.Wait()
			if old := before.Roots(before.Domains()[0])[0]; slices.ContainsFunc(ca.Bundles().Roots(before.Domains()[0]), old.Equal) {
				t.Error("the old root is trusted still")
			}
			if rotations.Load() < 6 {
				t.Errorf("%d rotations", rotations.Load())
			}
			if got := peers.Load().(string); got != productpage {
				t.Errorf("the server saw %s", got)
			}
			t.Logf("%d requests, %d rotations", sent.Load(), rotations.Load())
		})
	}
}

func call(client *http.Client, protocol string) error {
	resp, err := client.Get("http://reviews/")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != protocol {
		return fmt.Errorf("answered %q, %w", body, err)
	}
	return nil
}

// rotatingServer is a workload of the authority on loopback; the value has who
// sent the last request.
func rotatingServer(t *testing.T, ca *tlsid.CA) (address string, peer *atomic.Value) {
	t.Helper()
	own, peer := new(tlsid.Current), new(atomic.Value)
	ctx, cancel := context.WithCancel(t.Context())
	ready, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		first := sync.OnceFunc(func() { close(ready) })
		for c, err := range ca.Workload("reviews").Watch(ctx) {
			if err != nil {
				t.Error(err)
				continue
			}
			own.Store(c)
			first()
		}
	}()
	<-ready
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ErrorLog: quiet(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, err := tlsid.PeerOf(*r.TLS); err == nil {
			peer.Store(id.String())
		}
		_, _ = io.WriteString(w, r.Proto)
	})}
	go func() {
		_ = server.Serve(tls.NewListener(lis, tlsid.ServerConfig(own, tlsid.Accept{NextProtos: []string{"h2", "http/1.1"}})))
	}()
	t.Cleanup(func() {
		_ = server.Close()
		cancel()
		<-over
	})
	return lis.Addr().String(), peer
}
