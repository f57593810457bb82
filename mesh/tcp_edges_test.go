package mesh_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh"
)

// An observer may do what it likes with the connection that it hears of: a pool that
// empties itself closes that one, too.
func TestAnObserverMayCloseTheConnection(t *testing.T) {
	var conn net.Conn
	heard := 0
	playWith(t, nil, func(_ *scene, c *mesh.Config) {
		c.Observer.Connection = func(mesh.ConnectionInfo) {
			heard++
			_ = conn.Close()
		}
	}, func(s *scene) {
		s.caches(1)
		conn, _ = s.dialled("cache:6379")
		_ = conn.Close()
		if heard != 1 {
			s.Errorf("heard of it %d times", heard)
		}
	})
}

// An Authorizer that panics lets nobody in, and takes nobody else down.
func TestAnAuthorizerThatPanicsLetsNobodyIn(t *testing.T) {
	custom := authorization("ask", "{action: CUSTOM, provider: {name: who}, rules: [{}]}")
	moorWith(t, []string{custom}, func(_ *port, c *mesh.Config) {
		c.Authorizers = map[string]mesh.Authorizer{"who": decision(func(r mesh.AccessRequest) error {
			if r.Peer.String() != productpage {
				return errors.New(r.Header["Authorization"][0]) // of a request there would be one
			}
			return nil
		})}
	}, repeats, func(p *port) {
		if lets(p.as("other")) {
			p.Error("it was let in")
		}
		if !lets(p.call()) {
			p.Error("nobody else is let in")
		}
	})
}

const net10 = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: legacy}
spec:
  hosts: [legacy]
  addresses: [10.20.0.0/16, "fe80::/64"]
  ports: [{number: 1433, name: tcp, protocol: TCP}]
  resolution: NONE
`

// Where each address is an endpoint of its own, one that is down says nothing of the
// others.
func TestOneAddressEjectsNoOther(t *testing.T) {
	play(t, []string{net10, policy("legacy", "{outlierDetection: {consecutive5xxErrors: 1}}")}, func(s *scene) {
		s.echo("10.20.0.2:1433", 'b')
		for range 3 {
			_, _, err := s.dial("10.20.0.1:1433")
			s.turned(err, mesh.ErrConnect, "UF,URX")
		}
		c, _ := s.dialled("10.20.0.2:1433")
		_ = c.Close()
	})
}

// Who is dialled by an address proves to be the service that lists it: a certificate
// is about names.
func TestAnAddressIsProvedByItsServicesName(t *testing.T) {
	const entry = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db}
spec:
  hosts: [db.example.com]
  addresses: [240.0.0.9]
  ports: [{number: 5432, name: tcp, protocol: TCP}]
  resolution: STATIC
  endpoints: [{address: 10.9.0.1}]
`
	play(t, []string{entry}, func(s *scene) {
		web := newAuthority(s.T)
		root := write(s.T, "root", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.certificate.Raw}))
		server := &tls.Config{Certificates: []tls.Certificate{web.issue(s.T, "db.example.com")}}
		s.cables.serve("10.9.0.1:5432", func(c net.Conn) { repeats(tls.Server(c, server)) })
		s.rule(entry, policy("db.example.com", "{tls: {mode: SIMPLE, caCertificates: "+root+"}}"))
		for _, address := range []string{"db.example.com:5432", "240.0.0.9:5432"} {
			c, err := s.mesh.DialContext(s.Context(), "tcp", address)
			if err != nil {
				s.Errorf("%s: %v", address, err)
				continue
			}
			if err := ask(c, "select"); err != nil {
				s.Error(err)
			}
			_ = c.Close()
		}
	})
}

func TestAnAddressKeepsItsZone(t *testing.T) {
	play(t, []string{net10}, func(s *scene) {
		s.echo("[fe80::1%eth0]:1433", 'z')
		c, _ := s.dialled("[fe80::1%eth0]:1433")
		_ = c.Close()
	})
}

// Whatever becomes of a dial, its place is given back.
func TestADialThatPanicsHoldsNoPlace(t *testing.T) {
	playWith(t, []string{tcpPolicy("cache", "{maxConnections: 1}")}, func(s *scene, c *mesh.Config) {
		inner, calls := c.DialContext, 0
		c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if calls++; calls == 1 {
				panic("the dialler's own")
			}
			return inner(ctx, network, address)
		}
	}, func(s *scene) {
		s.caches(1)
		func() {
			defer func() { _ = recover() }()
			_, _ = s.mesh.DialContext(s.Context(), "tcp", "cache:6379")
			s.Error("it did not panic")
		}()
		c, _ := s.dialled("cache:6379")
		if got := s.mesh.Clusters()[0]; got.Endpoints[0].Active != 1 {
			s.Errorf("got %+v", got)
		}
		_ = c.Close()
	})
}

// Places are exact with many at a time, whatever becomes of them.
func TestPlacesAreExactUnderLoad(t *testing.T) {
	play(t, []string{policy("cache", "{connectionPool: {tcp: {maxConnections: 7}}, loadBalancer: {simple: RANDOM}}")}, func(s *scene) {
		s.caches(2)
		s.down("10.9.0.2:6379")
		done := make(chan struct{})
		for i := range 40 {
			go func() {
				defer func() { done <- struct{}{} }()
				for j := range 25 {
					ctx, cancel := context.WithTimeout(s.Context(), time.Duration(1+j)*time.Millisecond)
					c, err := s.mesh.DialContext(ctx, "tcp", "cache:6379")
					cancel()
					if err != nil {
						continue
					}
					if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
						s.Error("the end of ctx ended it: ", err)
					}
					if _, open := s.cables.counts(); open > 7 {
						s.Errorf("%d stand", open)
					}
					if i%2 == 0 {
						go func() { _ = c.Close() }()
					}
					_ = c.Close()
				}
			}()
		}
		for range 40 {
			<-done
		}
		var all []net.Conn
		for len(all) < 7 {
			c, _, err := s.dial("cache:6379")
			if err == nil {
				all = append(all, c)
			} else if errors.Is(err, breaker.ErrOverflow) {
				s.Fatalf("%d places are free of 7", len(all))
			}
		}
		_, err := s.mesh.DialContext(s.Context(), "tcp", "cache:6379")
		s.turned(err, mesh.ErrOverflow, "UO")
		for _, c := range all {
			_ = c.Close()
		}
	})
}

// A workload without an identity has no TLS to wait for.
func TestWithoutAnIdentityNobodyWaitsForTLS(t *testing.T) {
	moorWith(t, nil, func(_ *port, c *mesh.Config) { c.Identity = nil }, greets, func(p *port) {
		began, c := time.Now(), p.plain()
		if got, err := bufio.NewReader(c).ReadString('\n'); got != "220 \n" || err != nil {
			p.Errorf("got %q %v", got, err)
		}
		p.took(began, 0)
		_ = c.Close()
	})
	strict := rule("PeerAuthentication", "ns", "{mtls: {mode: STRICT}}")
	moorWith(t, []string{strict}, func(_ *port, c *mesh.Config) { c.Identity = nil }, repeats, func(p *port) {
		if lets(p.plain()) {
			p.Error("plaintext was let in where TLS alone is")
		}
	})
}

// Whatever happens to rules, hosts and the mesh itself meanwhile, connections end
// when their owners want, and nothing is left of them.
func TestConnectionsOutliveEverything(t *testing.T) {
	play(t, []string{tcpPolicy("cache", "{maxConnections: 50}")}, func(s *scene) {
		s.caches(4)
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				for j := range 30 {
					ctx, cancel := context.WithTimeout(s.Context(), time.Duration(1+(i*j)%7)*time.Second)
					c, err := s.mesh.DialContext(ctx, "tcp", "cache:6379")
					if err == nil {
						<-time.After(time.Duration(1+(i+j)%5) * 10 * time.Millisecond)
						if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
							s.Error(err)
						}
						if err := ask(c, "hello"); err != nil {
							s.Error(err)
						}
						_ = c.Close()
					}
					cancel()
				}
			})
		}
		for i := range 50 {
			<-time.After(7 * time.Millisecond)
			switch i % 4 {
			case 0:
				s.rule(tcpPolicy("cache", "{maxConnections: "+itoa(1+i)+"}"))
			case 1:
				s.rule(policy("cache", "{outlierDetection: {consecutive5xxErrors: 1, baseEjectionTime: 1s}}"))
				s.down("10.9.0.4:6379")
			case 2:
				s.rule()
			default:
				s.rule(tcpRoutes("cache", "[{route: [{destination: {host: cache, subset: a}}, {destination: {host: cache, subset: b}, weight: 100}]}]"))
			}
		}
		for _, c := range s.mesh.Clusters() {
			if c.Connections < 0 {
				s.Errorf("%+v", c)
			}
		}
		_ = s.mesh.Close()
		all.Wait()
		if got := s.mesh.Underway(); len(got) != 0 {
			s.Errorf("under way: %+v", got)
		}
		if _, open := s.cables.counts(); open != 0 {
			s.Errorf("%d connections are still there", open)
		}
	})
}
