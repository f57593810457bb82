package mesh_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/net/nettest"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// loop is a server's mesh and a client's over loopback.
type loop struct {
	client *mesh.Mesh
	lis    net.Listener
}

func newLoop(t *testing.T, secure bool, documents ...string) *loop {
	t.Helper()
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		t.Fatal(err)
	}
	of := func(service string, where discovery.Source) *mesh.Mesh {
		c := mesh.Config{Workload: mesh.Workload{Service: service}, Discovery: where, Rules: rules.Static(documents...)}
		if secure {
			c.Identity = ca.Workload(service)
		}
		m, err := mesh.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close() })
		return m
	}
	server := of("cache", nil)
	lis, err := server.ListenTCP("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	where, err := discovery.NewStatic(map[string][]discovery.Endpoint{"cache": {{Address: lis.Addr().String(), Identity: server.Status().Identity.ID}}})
	if err != nil {
		t.Fatal(err)
	}
	return &loop{of("shop", where), lis}
}

// connect is both ends of a connection through both meshes.
func (l *loop) connect(ctx context.Context) (client, server net.Conn, err error) {
	if client, err = l.client.DialContext(ctx, "tcp", "cache:6379"); err != nil {
		return nil, nil, err
	}
	server, err = l.lis.Accept()
	return client, server, err
}

// Both ends of a connection through the mesh are net.Conns to the letter. (Over TLS
// none is: "After a Write has timed out, the TLS state is corrupt", crypto/tls.)
func TestConnectionsAreNetConns(t *testing.T) {
	l := newLoop(t, false, rule("PeerAuthentication", "ns", "{mtls: {mode: DISABLE}}"))
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c1, c2, err = l.connect(context.Background())
		if err != nil {
			return nil, nil, nil, err
		}
		return c1, c2, func() { _, _ = c1.Close(), c2.Close() }, nil
	})
}

// Deadlines are those of the connection, by mutual TLS, too.
func TestDeadlinesHoldOverMutualTLS(t *testing.T) {
	client, server, err := newLoop(t, true).connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = client.Close(), server.Close() }()
	for range 3 {
		if err := client.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err := client.Read(make([]byte, 1))
		if n := net.Error(nil); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &n) || !n.Timeout() {
			t.Errorf("got %v", err)
		}
	}
	if err := client.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go repeats(server)
	if err := ask(client, "hello"); err != nil {
		t.Error(err)
	}
}

// One side may end what it says, and hear the other to the end.
func TestConnectionsAreHalfClosed(t *testing.T) {
	disable := rule("PeerAuthentication", "ns", "{mtls: {mode: DISABLE}}")
	for name, l := range map[string]*loop{"mutual TLS": newLoop(t, true), "in the clear": newLoop(t, false, disable)} {
		client, server, err := l.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		go func() {
			_, _ = io.Copy(server, server)
			_ = server.Close()
		}()
		go func() {
			_, _ = client.Write(text)
			_ = client.(interface{ CloseWrite() error }).CloseWrite()
		}()
		got, err := io.ReadAll(client)
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %d bytes came back, %v", name, len(got), err)
		}
		_ = client.Close()
	}
}

// TLS by files, as a rule says: the name is the host's that was dialled.
func TestConnectionsByFiles(t *testing.T) {
	play(t, nil, func(s *scene) {
		web, other := newAuthority(s.T), newAuthority(s.T)
		file := func(a *authority) string {
			return write(s.T, "root", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}))
		}
		root, strange := file(web), file(other)
		server := &tls.Config{Certificates: []tls.Certificate{web.issue(s.T, "db.example.com")}}
		s.cables.serve("10.9.0.1:5432", func(c net.Conn) { repeats(tls.Server(c, server)) })
		s.known("db.example.com", discovery.Endpoint{Address: "10.9.0.1:5432"})
		for settings, want := range map[string]string{
			"{mode: SIMPLE, caCertificates: " + root + "}":                               "",
			"{mode: SIMPLE, caCertificates: " + root + ", sni: other.com}":               "not other.com",
			"{mode: SIMPLE, caCertificates: " + strange + "}":                            "unknown authority",
			"{mode: SIMPLE, caCertificates: " + strange + ", insecureSkipVerify: false}": "unknown authority",
		} {
			s.rule(policy("db.example.com", "{tls: "+settings+"}"))
			c, err := s.mesh.DialContext(s.Context(), "tcp", "db.example.com:5432")
			if want != "" {
				if e := s.turned(err, mesh.ErrConnect, "UF,URX"); !strings.Contains(e.Error(), want) {
					s.Errorf("%s: got %v, want %q", settings, err, want)
				}
				continue
			}
			if err != nil {
				s.Fatal(err)
			}
			if err := ask(c, "select"); err != nil {
				s.Error(err)
			}
			_ = c.Close()
		}
	})
}

const open443 = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: open}
spec:
  hosts: [open.example.com]
  addresses: [10.60.0.0/16]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: NONE
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: socket}
spec:
  hosts: [socket]
  ports: [{number: 5432, name: tcp, protocol: TCP}]
  resolution: STATIC
  endpoints: [{address: "unix:///run/db.sock"}]
`

// Where a ServiceEntry has no endpoints of its own, the connection goes to where it
// was dialled to; an endpoint may be a socket.
func TestWhereConnectionsAreDialled(t *testing.T) {
	play(t, []string{open443}, func(s *scene) {
		s.echo("10.60.1.2:443", 'i')
		s.echo("open.example.com:443", 'n')
		s.echo("/run/db.sock", 'u')
		for address, want := range map[string]string{"10.60.1.2:443": "i", "open.example.com:443": "n", "socket:5432": "u", "OPEN.example.com.:443": "n"} {
			c, got := s.dialled(address)
			_ = c.Close()
			if got != want {
				s.Errorf("%s: got %s, want %s", address, got, want)
			}
		}
	})
}

func TestWhatThereIsNotIsRefused(t *testing.T) {
	subsets := policyWith("cache", "{}", "[{name: a, labels: {version: a}}, {name: z, labels: {version: z}}]")
	subsets = strings.Replace(subsets, "trafficPolicy: {}", "", 1)
	play(t, []string{subsets, tcpRoutes("cache", "[{match: [{port: 1}], route: [{destination: {host: cache, subset: q}}]}, {match: [{port: 2}], route: [{destination: {host: cache, subset: z}}]}]"), vip}, func(s *scene) {
		s.caches(1)
		for _, c := range []struct {
			address string
			want    error
			flags   string
		}{{"cache:1", mesh.ErrNoCluster, "NC"}, {"cache:2", mesh.ErrNoHealthy, "UH"}, {"store:99", mesh.ErrNoCluster, "NC"}} {
			_, _, err := s.dial(c.address)
			if e := s.turned(err, c.want, c.flags); c.address != "store:99" && e.Rule != "default/tcp-cache" {
				s.Errorf("%s: got %+v", c.address, e)
			}
		}
	})
}

func TestTheBlackHoleIsCountedAsIstioDoes(t *testing.T) {
	var a *audience
	playWith(t, nil, func(_ *scene, c *mesh.Config) {
		a = newAudience(sdktrace.NeverSample())
		c.Telemetry, c.OutboundPolicy = a.config(), mesh.RegistryOnly
	}, func(s *scene) {
		_, _, err := s.dial("nowhere.example:1")
		s.turned(err, mesh.ErrUnknownHost, "UH")
		wantCounts(s.T, a.series(s, opened, "destination_service_name", "response_flags"), map[string]int64{"BlackHoleCluster UH ": 1})
	})
}

// Connections made on behalf of a caller stay with a host by the caller's address.
func TestConnectionsAreHashedByTheirCaller(t *testing.T) {
	seen := map[string]int{}
	var p *port
	moorWith(t, nil, func(q *port, _ *mesh.Config) { p = q }, func(in net.Conn) {
		defer func() { _ = in.Close() }()
		ctx := mesh.WithPeer(context.Background(), in)
		for range 30 {
			out, err := p.scene.mesh.DialContext(ctx, "tcp", "store:6379")
			if err != nil {
				t.Error(err)
				return
			}
			var name [1]byte
			_, _ = io.ReadFull(out, name[:])
			seen[string(name[:])]++
			_ = out.Close()
		}
	}, func(p *port) {
		p.scene.rule(policy("store", "{loadBalancer: {consistentHash: {useSourceIp: true}}}"))
		var all []discovery.Endpoint
		for i := range 5 {
			address := "10.9.0." + itoa(i+1) + ":6379"
			p.echo(address, byte('a'+i))
			all = append(all, discovery.Endpoint{Address: address})
		}
		p.known("store", all...)
		c := p.call()
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
		if len(seen) != 1 {
			p.Errorf("got %v, want one host", seen)
		}
	})
}

// A changed policy holds for the next connection; those that stand, stand.
func TestAChangedPolicyHoldsForTheNextConnection(t *testing.T) {
	moor(t, nil, repeats, func(p *port) {
		standing := p.call()
		if err := ask(standing, "x"); err != nil {
			p.Fatal(err)
		}
		for range 5 {
			if err := p.rules.Update(only("cluster.local/ns/default/sa/other")); err != nil {
				p.Fatal(err)
			}
			synctest.Wait()
			if lets(p.call()) {
				p.Error("let in")
			}
			if err := p.rules.Update(only(pageID)); err != nil {
				p.Fatal(err)
			}
			synctest.Wait()
			if !lets(p.call()) {
				p.Error("not let in")
			}
		}
		if err := ask(standing, "x"); err != nil {
			p.Error(err)
		}
		_ = standing.Close()
	})
}

// Names of ports are known; what no dialler could read is the dialler's to refuse.
// Outside of a bubble: the system's resolver has channels of its own.
func TestAddressesAreReadAsTheDiallerDoes(t *testing.T) {
	where, err := discovery.NewStatic(map[string][]discovery.Endpoint{"cache": {{Address: "10.9.0.1:6379"}}})
	if err != nil {
		t.Fatal(err)
	}
	var dialled string
	m, err := mesh.New(t.Context(), mesh.Config{Discovery: where, DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = address
		client, server := net.Pipe()
		return client, server.Close()
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	for address, want := range map[string]string{
		"cache:http": "10.9.0.1:6379", "cache:80": "10.9.0.1:6379",
		"cache": "", "cache:": "", ":6379": "", "cache:99999": "", "cache:nosuchport": "", "[::1": "", // as it is
	} {
		c, err := m.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		if dialled != cmp.Or(want, address) {
			t.Errorf("%s: dialled %s", address, dialled)
		}
	}
}

// What Explain says of a connection is what becomes of it, on the other side, too.
func TestExplainKnowsConnections(t *testing.T) {
	documents := []string{
		tcpRoutes("cache", "[{match: [{port: 1}], route: [{destination: {host: nowhere}}]}, {match: [{port: 6379}], route: [{destination: {host: cache, subset: a}, weight: 3}, {destination: {host: cache, subset: b}, weight: 1}]}]"),
		authorization("by-method", "{selector: {matchLabels: {version: b}}, rules: [{to: [{operation: {methods: [GET]}}]}]}"),
	}
	play(t, documents, func(s *scene) {
		s.caches(2)
		e := s.mesh.Explain(s.request("CONNECT", "tcp://cache:6379", ""))
		if e.Action != "connect" || !e.Ours || e.Rule == nil || e.Rule.Name != "tcp-cache" || len(e.Routes) != 2 || len(e.Destinations) != 2 {
			s.Fatalf("got %+v", e)
		}
		if r := e.Routes; r[0].Matched || r[0].Failed[0] != "port 1" || !r[1].Matched || r[1].Field != "spec.tcp[1]" {
			s.Errorf("routes: %+v", r)
		}
		a, b := e.Destinations[0], e.Destinations[1]
		if a.Share != 0.75 || a.Hosts[0].Address != "10.9.0.1:6379" || !a.Access[0].Allowed || b.Share != 0.25 || b.Access[0].Allowed {
			s.Errorf("destinations: %+v, %+v", a, b)
		}
		if e := s.mesh.Explain(s.request("CONNECT", "tcp://nowhere.example:1", "")); e.Ours || e.Action != "" {
			s.Errorf("an unknown host: %+v", e)
		}
		if e := s.mesh.Explain(s.request("CONNECT", "tcp://cache", "")); e.Refused == "" {
			s.Errorf("without a port: %+v", e)
		}
	})
}

// The handshake falls under connectTimeout, too: a server that takes the connection
// and says nothing has not been connected to.
func TestASilentHandshakeIsAConnectFailure(t *testing.T) {
	guarded(t, []string{tcpPolicy("cache", "{connectTimeout: 3s}")}, func(s *scene) {
		s.cables.serve("10.9.0.1:6379", func(c net.Conn) {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		})
		s.known("cache", discovery.Endpoint{Address: "10.9.0.1:6379", Identity: accountOf("cache")})
		began := time.Now()
		_, err := s.mesh.DialContext(s.Context(), "tcp", "cache:6379")
		s.took(began, 3*time.Second)
		e := s.turned(err, mesh.ErrConnect, "UF,URX")
		if n := net.Error(nil); !errors.As(err, &n) || !n.Timeout() || e.Endpoint != "10.9.0.1:6379" {
			s.Errorf("got %v", err)
		}
		synctest.Wait()
		if _, open := s.cables.counts(); open != 0 {
			s.Error("the connection is still there")
		}
	})
}

// Connect failures have a count of their own where a rule splits them from answers;
// one that is made clears it.
func TestLocalFailuresEject(t *testing.T) {
	outlier := "{outlierDetection: {splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 3, baseEjectionTime: 30s}}"
	play(t, []string{policy("cache", outlier)}, func(s *scene) {
		refusing := map[int]bool{1: true, 2: true, 4: true, 5: true, 6: true}
		dials := 0
		s.cables.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			if dials++; refusing[dials] {
				return nil, syscall.ECONNREFUSED
			}
			client, server := net.Pipe()
			go repeats(server)
			return client, nil
		}
		s.known("cache", discovery.Endpoint{Address: "10.9.0.1:6379"})
		for i, want := range []string{"UF,URX", "UF,URX", "", "UF,URX", "UF,URX", "UF,URX", "UH"} {
			c, err := s.mesh.DialContext(s.Context(), "tcp", "cache:6379")
			switch {
			case want == "" && err == nil:
				_ = c.Close()
			case want == "" || err == nil || !strings.Contains(err.Error(), "("+want+")"):
				s.Errorf("%d: got %v, want %s", i, err, want)
			}
		}
		s.pass(30 * time.Second)
		c, err := s.mesh.DialContext(s.Context(), "tcp", "cache:6379") // the probe
		if err != nil {
			s.Fatal(err)
		}
		_ = c.Close()
	})
}
