package mesh_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
)

func TestAConnectionGoesToTheHostItself(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.caches(3)
		seen := map[string]int{}
		for range 300 {
			c, name := s.dialled("cache:6379")
			if err := ask(c, "hello"); err != nil {
				s.Fatal(err)
			}
			_ = c.Close()
			seen[name]++
		}
		if len(seen) != 3 {
			s.Errorf("got %v, want all three", seen)
		}
		if _, open := s.cables.counts(); open != 0 {
			s.Errorf("%d connections are still there", open)
		}
	})
}

func TestConnectionsAreSplitByWeight(t *testing.T) {
	const n = 6_000
	play(t, []string{tcpRoutes("cache", `[{route: [{destination: {host: cache, subset: a}, weight: 80}, {destination: {host: cache, subset: b}, weight: 20}]}]`)}, func(s *scene) {
		s.caches(3)
		seen := map[string]int{}
		for range n {
			c, name := s.dialled("cache:6379")
			_ = c.Close()
			seen[name]++
		}
		binomial(s.T, "a", seen["a"], n, 0.8)
		binomial(s.T, "b", seen["b"], n, 0.2)
		if seen["c"] != 0 {
			s.Errorf("got %v", seen)
		}
	})
}

// What stands in a match of a TCP route, against one connection each.
func TestTCPRoutesMatch(t *testing.T) {
	for match, want := range map[string]string{
		"{port: 6379}":                                   "a",
		"{port: 6380}":                                   "b", // the next route
		"{sourceNamespace: default}":                     "a",
		"{sourceNamespace: other}":                       "b",
		"{sourceLabels: {app: shop}}":                    "a",
		"{sourceLabels: {app: other}}":                   "b",
		"{gateways: [mesh]}":                             "a",
		"{gateways: [ns/other]}":                         "b",
		"{gateways: [mesh], port: 1}":                    "b", // all that is written must hold
		"{gateways: [mesh], sourceLabels: {app: other}}": "b",
		"{destinationSubnets: [10.0.0.0/8]}":             "b", // a name without a known address
		"{port: 1}, {port: 6379}":                        "a",
	} {
		rule := tcpRoutes("cache", `[{match: [`+match+`], route: [{destination: {host: cache, subset: a}}]}, {route: [{destination: {host: cache, subset: b}}]}]`)
		playWith(t, []string{rule}, func(_ *scene, c *mesh.Config) { c.Workload.Labels = map[string]string{"app": "shop"} }, func(s *scene) {
			s.caches(2)
			if c, got := s.dialled("cache:6379"); got != want {
				s.Errorf("%s: got %s, want %s", match, got, want)
			} else {
				_ = c.Close()
			}
		})
	}
}

// There is no 404 for a connection: where no route matches, it goes to the host
// itself, as in Istio.
func TestWhereNoTCPRouteMatchesTheHostItselfIsMeant(t *testing.T) {
	play(t, []string{tcpRoutes("cache", `[{match: [{port: 1}], route: [{destination: {host: nowhere}}]}]`)}, func(s *scene) {
		s.caches(1)
		c, _ := s.dialled("cache:6379")
		_ = c.Close()
	})
}

const vip = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: store}
spec:
  hosts: [store]
  addresses: [240.0.0.7, 10.50.0.0/16]
  ports: [{number: 3306, name: tcp, protocol: TCP}]
  resolution: STATIC
  location: MESH_INTERNAL
  endpoints: [{address: 10.9.0.1, labels: {version: a}}, {address: 10.9.0.2, labels: {version: b}}]
`

func TestAnAddressIsItsServices(t *testing.T) {
	rule := tcpRoutes("store", `[{match: [{destinationSubnets: [10.50.1.0/24]}], route: [{destination: {host: store, subset: b}}]},
		{route: [{destination: {host: store, subset: a}}]}]`)
	play(t, []string{vip, rule}, func(s *scene) {
		s.echo("10.9.0.1:3306", 'a')
		s.echo("10.9.0.2:3306", 'b')
		for address, want := range map[string]string{
			"store:3306": "a", "240.0.0.7:3306": "a", "10.50.9.9:3306": "a", "10.50.1.1:3306": "b", "[::ffff:10.50.1.1]:3306": "b",
		} {
			c, got := s.dialled(address)
			_ = c.Close()
			if got != want {
				s.Errorf("%s: got %s, want %s", address, got, want)
			}
		}
		if _, _, err := s.dial("240.0.0.7:3307"); !errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, new(*mesh.Error)) {
			s.Errorf("another port of the address: got %v, want to be passed on and refused there", err)
		}
	})
}

func TestAnUnknownHostIsDialledAsItIs(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.echo("elsewhere.example:25", 'x')
		c, got := s.dialled("elsewhere.example:25")
		defer func() { _ = c.Close() }()
		if got != "x" {
			s.Errorf("got %q", got)
		}
	})
}

func TestAnUnknownHostIsRefusedByTheRegistry(t *testing.T) {
	playWith(t, nil, func(_ *scene, c *mesh.Config) { c.OutboundPolicy = mesh.RegistryOnly }, func(s *scene) {
		for _, address := range []string{"elsewhere.example:25", "10.1.1.1:25"} {
			_, err := s.mesh.DialContext(s.Context(), "tcp", address)
			s.turned(err, mesh.ErrUnknownHost, "UH")
		}
	})
}

func TestWhatIsNotTCPIsNotTheMeshs(t *testing.T) {
	playWith(t, nil, func(_ *scene, c *mesh.Config) { c.OutboundPolicy = mesh.RegistryOnly }, func(s *scene) {
		s.echo("/run/db.sock", 'u')
		s.echo("10.1.1.1:53", 'd')
		for network, address := range map[string]string{"unix": "/run/db.sock", "udp": "10.1.1.1:53"} {
			c, err := s.mesh.DialContext(s.Context(), network, address)
			if err != nil {
				s.Errorf("%s: %v", network, err)
				continue
			}
			_ = c.Close()
		}
	})
}

func TestConnectFailuresEject(t *testing.T) {
	play(t, []string{policy("cache", "{outlierDetection: {consecutive5xxErrors: 2, baseEjectionTime: 30s}}")}, func(s *scene) {
		s.caches(2)
		s.down("10.9.0.1:6379")
		failed := 0
		for range 100 {
			c, _, err := s.dial("cache:6379")
			if err == nil {
				_ = c.Close()
				continue
			}
			failed++
			e := s.turned(err, mesh.ErrConnect, "UF,URX")
			if !errors.Is(err, syscall.ECONNREFUSED) || e.Endpoint != "10.9.0.1:6379" || e.Attempts != 1 {
				s.Errorf("got %v %+v", err, e)
			}
		}
		if failed != 2 {
			s.Errorf("%d failed, want the two that eject", failed)
		}
		if got := s.journal.events("10.9.0.1:6379"); len(got) != 1 || got[0] != breaker.Ejected {
			s.Errorf("circuit: %v", got)
		}
	})
}

func TestConnectionsOverTheLimitAreRefusedAtOnce(t *testing.T) {
	play(t, []string{tcpPolicy("cache", "{maxConnections: 2}")}, func(s *scene) {
		s.caches(3)
		one, _ := s.dialled("cache:6379")
		two, _ := s.dialled("cache:6379")
		_, _, err := s.dial("cache:6379")
		s.turned(err, mesh.ErrOverflow, "UO")
		if !errors.Is(err, breaker.ErrOverflow) || !strings.Contains(err.Error(), "maxConnections is 2") {
			s.Errorf("got %v", err)
		}
		_, _, _ = one.Close(), one.Close(), one.Close() // gives back one place
		three, _ := s.dialled("cache:6379")
		if _, _, err = s.dial("cache:6379"); err == nil {
			s.Error("a place was given back twice")
		}
		_, _ = two.Close(), three.Close()
	})
}

// A connection that was not made gives its place back.
func TestFailuresHoldNoPlace(t *testing.T) {
	play(t, []string{tcpPolicy("cache", "{maxConnections: 1}")}, func(s *scene) {
		s.caches(1)
		s.down("10.9.0.1:6379")
		for range 3 {
			_, _, err := s.dial("cache:6379")
			s.turned(err, mesh.ErrConnect, "UF,URX")
		}
		if got := s.mesh.Clusters()[0]; got.Endpoints[0].Active != 0 {
			s.Errorf("got %+v", got)
		}
	})
}

func TestAConnectionIsMadeInTimeOrNot(t *testing.T) {
	play(t, []string{tcpPolicy("cache", "{connectTimeout: 3s}")}, func(s *scene) {
		host := s.start("cache", "silent")
		host.Silence()
		for _, c := range []struct {
			patience time.Duration
			took     time.Duration
			want     error
			flags    string
		}{{time.Minute, 3 * time.Second, mesh.ErrConnect, "UF,URX"}, {time.Second, time.Second, mesh.ErrTimeout, "UT"}} {
			ctx, cancel := context.WithTimeout(s.Context(), c.patience)
			began := time.Now()
			_, err := s.mesh.DialContext(ctx, "tcp", "cache:6379")
			cancel()
			s.took(began, c.took)
			s.turned(err, c.want, c.flags)
			if n := net.Error(nil); !errors.As(err, &n) || !n.Timeout() {
				s.Errorf("got %v, want a net.Error that is a timeout", err)
			}
		}
		ctx, cancel := context.WithCancel(s.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := s.mesh.DialContext(ctx, "tcp", "cache:6379")
		s.turned(err, mesh.ErrCanceled, "DC")
	})
}

func TestAnIdleConnectionIsEnded(t *testing.T) {
	play(t, []string{tcpPolicy("cache", "{idleTimeout: 10s}")}, func(s *scene) {
		s.caches(1)
		c, _ := s.dialled("cache:6379")
		for range 5 {
			s.pass(9 * time.Second)
			if err := ask(c, "x"); err != nil { // a byte in either direction keeps it
				s.Fatal(err)
			}
		}
		began := time.Now()
		_, err := c.Read(make([]byte, 1))
		s.took(began, 10*time.Second)
		if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "idle for 10s") {
			s.Errorf("got %v, want the rule's name", err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			s.Errorf("got %v", err)
		}
		if _, open := s.cables.counts(); open != 0 {
			s.Error("the connection is still there")
		}
		_ = c.Close()
	})
}

func TestAConnectionLastsAnHourIdleUnlessARuleSaysOtherwise(t *testing.T) {
	for settings, want := range map[string]time.Duration{"{maxConnections: 9}": time.Hour, "{idleTimeout: 0s}": 0, "{maxConnectionDuration: 90s}": 90 * time.Second} {
		play(t, []string{tcpPolicy("cache", settings)}, func(s *scene) {
			s.caches(1)
			c, _ := s.dialled("cache:6379")
			began := time.Now()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = io.Copy(io.Discard, c)
			}()
			select {
			case <-ended:
				s.took(began, want)
			case <-time.After(100 * time.Hour):
				if want != 0 {
					s.Errorf("%s: it still stands", settings)
				}
			}
			_ = c.Close()
			<-ended
		})
	}
}

func TestTheDialledHostStaysWithItsHash(t *testing.T) {
	play(t, []string{policy("cache", "{loadBalancer: {consistentHash: {useSourceIp: true}}}")}, func(s *scene) {
		s.caches(3)
		seen := map[string]int{}
		for range 60 {
			c, name := s.dialled("cache:6379")
			_ = c.Close()
			seen[name]++
		}
		if len(seen) < 2 { // a process of its own has no source: at random
			s.Errorf("got %v", seen)
		}
	})
}

func TestConnectionsStandWhileRulesChange(t *testing.T) {
	play(t, []string{tcpPolicy("cache", "{maxConnections: 100}")}, func(s *scene) {
		s.caches(2)
		var all []net.Conn
		for range 8 {
			c, _ := s.dialled("cache:6379")
			all = append(all, c)
		}
		for i := range 1_000 {
			subset := string(rune('a' + i%2))
			s.rule(tcpPolicy("cache", "{maxConnections: "+itoa(1+i%50)+"}"), tcpRoutes("cache", "[{route: [{destination: {host: cache, subset: "+subset+"}}]}]"))
			if i%100 == 0 {
				if err := ask(all[i/100%len(all)], "still there"); err != nil {
					s.Fatal(err)
				}
			}
		}
		for _, c := range all {
			if err := ask(c, "still there"); err != nil {
				s.Error(err)
			}
			_ = c.Close()
		}
		if got := s.mesh.Clusters(); len(got) == 0 {
			s.Error("no cluster")
		}
	})
}

func TestConnectionsOutliveTheirMesh(t *testing.T) {
	play(t, nil, func(s *scene) {
		s.caches(1)
		c, _ := s.dialled("cache:6379")
		_ = s.mesh.Close()
		if err := ask(c, "still there"); err != nil {
			s.Error(err)
		}
		_ = c.Close()
	})
}

func TestConnectionsByIdentity(t *testing.T) {
	guarded(t, nil, func(s *scene) {
		ca, far := s.fleet.CA(), newFar(s.T)
		for i, c := range []struct {
			name   string
			server func() func(net.Conn)
			want   string // the peer, or what the error says
		}{
			{"who is expected", func() func(net.Conn) { return s.introduces(s.workload(ca, accountOf("cache"))) }, productpage},
			{"somebody else", func() func(net.Conn) { return s.introduces(s.workload(ca, accountOf("other"))) }, "cache"},
			{"somebody of another authority", func() func(net.Conn) { return s.introduces(s.workload(far, "spiffe://far/ns/default/sa/cache")) }, "far"},
			{"in the clear", func() func(net.Conn) { return plainly }, "TLS"},
		} {
			address := "10.8.0." + itoa(i+1) + ":6379"
			s.cables.serve(address, c.server())
			s.known("cache", discovery.Endpoint{Address: address, Identity: accountOf("cache")})
			s.pass(time.Minute) // circuits forget
			conn, err := s.mesh.DialContext(s.Context(), "tcp", "cache:6379")
			if err != nil {
				s.turned(err, mesh.ErrConnect, "UF,URX")
				if !strings.Contains(err.Error(), c.want) {
					s.Errorf("%s: got %v, want %q", c.name, err, c.want)
				}
				continue
			}
			peer, err := io.ReadAll(conn)
			if err != nil || string(peer) != c.want {
				s.Errorf("%s: the server knows %q (%v), want %q", c.name, peer, err, c.want)
			}
			_ = conn.Close()
		}
	})
}
