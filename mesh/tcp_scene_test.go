package mesh_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/tlsid"
)

// tcpRoutes is a VirtualService for a host, its tcp routes in YAML's flow style.
func tcpRoutes(host, tcp string) string {
	return fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: tcp-%[1]s}
spec:
  hosts: [%[1]s]
  tcp: %[2]s
`, host, tcp)
}

// tcpPolicy is a DestinationRule's connectionPool.tcp.
func tcpPolicy(host, settings string) string {
	return policy(host, "{connectionPool: {tcp: "+settings+"}}")
}

// echo is a server of raw connections that says its name, in a byte, and then what
// it hears.
func (s *scene) echo(address string, name byte) {
	s.cables.serve(address, func(c net.Conn) { echoes(c, name) })
}

func echoes(c net.Conn, name byte) {
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte{name}); err == nil {
		_, _ = io.Copy(c, c)
	}
}

// down makes connections to an address refused.
func (s *scene) down(address string) {
	s.cables.mu.Lock()
	defer s.cables.mu.Unlock()
	delete(s.cables.raw, address)
	s.cables.dead(address)
}

// caches starts n echoes of the service cache, named a, b, c, with those as their
// versions.
func (s *scene) caches(n int) {
	s.Helper()
	var all []discovery.Endpoint
	for i := range n {
		address, name := fmt.Sprintf("10.9.0.%d:6379", i+1), byte('a'+i)
		s.echo(address, name)
		all = append(all, discovery.Endpoint{Address: address, Labels: map[string]string{"app": "cache", "version": string(name)}})
	}
	s.known("cache", all...)
}

// dial connects, and reads the name of who is there.
func (s *scene) dial(address string) (net.Conn, string, error) {
	s.Helper()
	c, err := s.mesh.DialContext(s.Context(), "tcp", address)
	if err != nil {
		return nil, "", err
	}
	var name [1]byte
	if _, err := io.ReadFull(c, name[:]); err != nil {
		_ = c.Close()
		return nil, "", err
	}
	return c, string(name[:]), nil
}

// dialled is dial for what must succeed.
func (s *scene) dialled(address string) (net.Conn, string) {
	s.Helper()
	c, name, err := s.dial(address)
	if err != nil {
		s.Fatal(err)
	}
	return c, name
}

// ask sends text and reads it back, which may begin before all has been sent.
func ask(c net.Conn, text string) error {
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c, text)
		sent <- err
	}()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if err := <-sent; err != nil {
		return err
	}
	if string(got) != text {
		return fmt.Errorf("got %q, want %q", got, text)
	}
	return nil
}

// turned compares a refusal with what it must say.
func (s *scene) turned(err error, want error, flags string) *mesh.Error {
	s.Helper()
	var e *mesh.Error
	if !errors.As(err, &e) || !errors.Is(err, want) || e.Flags != flags {
		s.Errorf("got %v, want %v (%s)", err, want, flags)
		return new(mesh.Error)
	}
	return e
}

// series are a metric's values by labels, of which the named ones are told.
func (a *audience) series(s *scene, metric string, names ...string) map[string]int64 {
	s.Helper()
	out := map[string]int64{}
	sum, _ := a.metrics(s)[metric].(metricdata.Sum[int64])
	for _, p := range sum.DataPoints {
		l, key := labelsOf(p.Attributes), ""
		for _, n := range names {
			key += l[n] + " "
		}
		out[key] += p.Value
	}
	return out
}

// dead makes connections to an address refused; the lock is held.
func (c *cables) dead(address string) {
	dial := c.dial
	c.dial = func(ctx context.Context, network, to string) (net.Conn, error) {
		if to == address {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return dial(ctx, network, to)
	}
}

// introduces is a server in TLS that says who its client is.
func (s *scene) introduces(config *tls.Config) func(net.Conn) {
	return func(c net.Conn) {
		secure := tls.Server(c, config)
		defer func() { _ = secure.Close() }()
		if err := secure.Handshake(); err != nil {
			return
		}
		if id, err := tlsid.PeerOf(secure.ConnectionState()); err == nil {
			_, _ = io.WriteString(secure, id.String())
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// plainly is a server that takes whatever it hears for its own protocol.
func plainly(c net.Conn) {
	defer func() { _ = c.Close() }()
	if _, err := c.Read(make([]byte, 4<<10)); err == nil {
		_, _ = io.WriteString(c, "-ERR unknown command")
	}
}

// only holds a metric to one series, by all of its labels.
func (a *audience) only(s *scene, metric string, value int64, labels map[string]string) {
	s.Helper()
	sum, _ := a.metrics(s)[metric].(metricdata.Sum[int64])
	if len(sum.DataPoints) != 1 || sum.DataPoints[0].Value != value {
		s.Errorf("%s: got %v, want one series of %d", metric, sum.DataPoints, value)
		return
	}
	got := labelsOf(sum.DataPoints[0].Attributes)
	for name, want := range labels {
		if got[name] != want {
			s.Errorf("%s: %s is %q, want %q", metric, name, got[name], want)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		s.Errorf("%s: labels that nobody asked for: %v", metric, got)
	}
}
